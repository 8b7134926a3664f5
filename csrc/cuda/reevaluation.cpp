#include "cuda/reevaluation.h"

#include <algorithm>
#include <limits>

namespace qdit::cuda {
namespace {

constexpr std::size_t kFew = 32;    // candidates for whose rows it does not pay to look
constexpr std::size_t kMany = 128;  // candidates that are worth to be taken in parts ...
constexpr double kManyRows = 0.4;   // ... where so many of all rows rose
constexpr std::int32_t kAnyRise = std::numeric_limits<std::int32_t>::max();

}  // namespace

Reevaluation::Reevaluation(const Of& of)
    : of_(of),
      past_(of.context),
      known_(of.context.device, of.context.n),
      exact_at_(of.context.device, of.context.n),
      sums_(of.context.device, Candidates::kMost),
      looked_up_(of.context.device, Candidates::kMost) {}

void Reevaluation::restart(std::int64_t commits) {
  const Stream& stream = of_.context.stream;
  forget(commits);
  stream.zero(known_.data(), of_.context.n);
  launch_set(exact_at_.data(), of_.context.n, static_cast<std::int32_t>(commits), stream.get());
}

void Reevaluation::forget(std::int64_t commits) {
  commits_ = commits;
  parts_.clear();
  past_.restart(of_.max.data(), commits);
}

void Reevaluation::committed(std::int64_t commits) {
  commits_ = commits;
  parts_.clear();
  past_.keep(of_.max.data(), commits);
}

BoundedGains Reevaluation::gains() const {
  return {of_.gains.data(), known_.data(), exact_at_.data(), of_.context.n,
          static_cast<std::int32_t>(commits_)};
}

std::vector<Stale> Reevaluation::look_up(std::span<const std::int32_t> ids, std::span<Fixed> out) {
  std::vector<Stale> found(ids.size());
  for (std::size_t first = 0; first < ids.size(); first += Candidates::kMost) {
    const std::size_t count = std::min<std::size_t>(Candidates::kMost, ids.size() - first);
    const Candidates::Loaded loaded = of_.candidates.load(ids.subspan(first, count));
    const Stream& stream = of_.context.stream;
    launch_look_up(gains(), loaded.ids, static_cast<std::int32_t>(count), looked_up_.data(), sums_.data(),
                   stream.get());
    stream.fetch(looked_up_.data(), std::span(found).subspan(first, count));
    stream.fetch(reinterpret_cast<const Fixed*>(sums_.data()), out.subspan(first, count));
    stream.wait();
  }
  return found;
}

void Reevaluation::run(std::vector<Stale> stale, bool in_parts) {
  std::sort(stale.begin(), stale.end(), [](const Stale& a, const Stale& b) {
    return a.exact_at != b.exact_at ? a.exact_at < b.exact_at : a.id < b.id;
  });
  std::vector<std::int32_t> others;
  std::vector<std::int32_t> ids;
  for (std::size_t first = 0; first < stale.size(); first += ids.size()) {
    const std::int32_t exact_at = stale[first].exact_at;
    ids.clear();
    for (std::size_t i = first; i < stale.size() && stale[i].exact_at == exact_at; ++i) {
      ids.push_back(stale[i].id);
    }
    if (exact_at == commits_ || subtract_losses(exact_at, ids, in_parts)) continue;
    others.insert(others.end(), ids.begin(), ids.end());
  }
  sum_gains(others);
}

// False, and nothing done, where products with all incomplete rows are fewer.
bool Reevaluation::subtract_losses(std::int32_t exact_at, std::span<const std::int32_t> ids, bool in_parts) {
  if (ids.size() < kFew || !past_.knows(exact_at)) return false;
  const auto raised = [&](std::int32_t above, std::int32_t most) {
    return past_.raised(exact_at, of_.max.data(), of_.lists.view().threshold, above, most);
  };
  const auto part = parts_.find(exact_at);
  const bool has_part = part != parts_.end();
  const PastMaxima::Raised rest = raised(0, has_part ? part->second : kAnyRise);
  const Index rows = rest.rows.size();
  const bool many =
      ids.size() >= kMany && static_cast<double>(rows) >= kManyRows * static_cast<double>(of_.context.n);
  if (in_parts && many && !has_part) {
    const auto mean = static_cast<std::int32_t>(rest.mean);
    parts_[exact_at] = mean;
    sum_losses(ids, raised(mean, kAnyRise), Settled::kPart);
    return true;
  }
  if (rows >= of_.lists.incomplete().size()) return false;
  sum_losses(ids, rest, has_part ? Settled::kLostToo : Settled::kLost);
  return true;
}

void Reevaluation::sum_losses(std::span<const std::int32_t> ids, const PastMaxima::Raised& raised,
                              Settled what) {
  for (std::size_t first = 0; first < ids.size(); first += Candidates::kMost) {
    const Candidates::Loaded loaded =
        of_.candidates.load(ids.subspan(first, std::min<std::size_t>(Candidates::kMost, ids.size() - first)));
    of_.product.losses(loaded.rows, raised.rises, raised.rows, sums_.data());
    settle(what, loaded, raised.rows.size());
  }
}

void Reevaluation::sum_gains(std::span<const std::int32_t> ids) {
  const Subset& incomplete = of_.lists.incomplete();
  for (std::size_t first = 0; first < ids.size(); first += Candidates::kMost) {
    const Candidates::Loaded loaded =
        of_.candidates.load(ids.subspan(first, std::min<std::size_t>(Candidates::kMost, ids.size() - first)));
    of_.product.gains(loaded.rows, of_.max.data(), &incomplete, sums_.data());
    settle(Settled::kIncomplete, loaded, incomplete.size());
  }
}

void Reevaluation::settle(Settled what, const Candidates::Loaded& loaded, Index rows) {
  launch_settle(gains(), what, loaded.ids, loaded.rows.count, sums_.data(), of_.complete.data(),
                of_.context.stream.get());
  const double products = static_cast<double>(loaded.rows.count) * static_cast<double>(rows);
  of_.stats.products += products;
  of_.stats.products_evaluating += products;
}

}  // namespace qdit::cuda
