// Gains that are upper bounds made exact again, by no more products than that takes.
//
// Subtracted from a gain is at once what it loses to pairs in lists (alive_lists.h); what it loses to others
// shows only in products with the rows whose maxima rose while their lists were incomplete. So a gain that
// was exact some commits ago is multiplied with the rows that rose since (integers: the difference is exact),
// or, if that is less, with all rows that are incomplete now. Where many rows rose and many candidates wait,
// those with the largest rises come first: what a candidate has lost to these alone often takes it out of the
// race.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "cuda/alive_lists.h"
#include "cuda/candidates.h"
#include "cuda/past_maxima.h"
#include "cuda/product.h"
#include "engine/backend.h"

namespace qdit::cuda {

class Reevaluation {
 public:
  struct Of {
    const Context& context;
    Product& product;
    Candidates& candidates;
    const Buffer<std::int32_t>& max;
    const AliveLists& lists;
    const Buffer<Sum>& gains;
    const Buffer<Sum>& complete;  // per candidate: the part of its gain that complete rows make up
    BackendStats& stats;
  };
  explicit Reevaluation(const Of& of);

  // All gains are exact now.
  void restart(std::int64_t commits);
  // Lists changed: what was exact before is multiplied with all incomplete rows.
  void forget(std::int64_t commits);
  void committed(std::int64_t commits);
  BoundedGains gains() const;

  // Makes them exact. in_parts: those of many that are likely to fall behind may keep a lower bound instead,
  // once for every commit.
  void run(std::vector<Stale> stale, bool in_parts);
  // out[i] = the gain of ids[i] as it stands, and since when
  std::vector<Stale> look_up(std::span<const std::int32_t> ids, std::span<Fixed> out);

 private:
  bool subtract_losses(std::int32_t exact_at, std::span<const std::int32_t> ids, bool in_parts);
  void sum_losses(std::span<const std::int32_t> ids, const PastMaxima::Raised& raised, Settled what);
  void sum_gains(std::span<const std::int32_t> ids);
  void settle(Settled what, const Candidates::Loaded& loaded, Index rows);

  Of of_;
  PastMaxima past_;
  Buffer<Sum> known_;
  Buffer<std::int32_t> exact_at_;
  Buffer<Sum> sums_;
  Buffer<Stale> looked_up_;
  std::int64_t commits_ = 0;
  // By when they were exact: candidates that know what they lost by rises above this since then, but not the
  // rest.
  std::map<std::int32_t, std::int32_t> parts_;
};

}  // namespace qdit::cuda
