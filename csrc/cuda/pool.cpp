#include "cuda/pool.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/fixed_point.h"
#include "engine/row_check.h"

namespace qdit::cuda {
namespace {

constexpr std::size_t kUploadBytes = 32 << 20;  // of each of two pinned buffers
constexpr std::size_t kWorkBytes = 512 << 20;   // left free for batches and similarities ...
constexpr std::size_t kRowWork = 128;           // ... and so much per row for maxima, gains, lists
constexpr int kSlots = 4;
constexpr std::size_t kSlotBytes = 512 << 20;  // large enough to hide copies; the rest is for lists
constexpr Index kPassingRows = 4096;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

int planes(Precision precision) { return precision == Precision::kSplit ? 2 : 1; }

std::size_t upload_bytes(const PoolOptions& options) {
  const std::size_t row = at(options.rows.d) * item_size(options.rows.dtype);
  return std::min(kUploadBytes, std::max(at(options.rows.n), at(64)) * row);
}

}  // namespace

Pool::Pool(Device& device, const Stream& stream, const PoolOptions& options, const Arithmetic& how,
           Interrupt& interrupt)
    : device_(device),
      stream_(stream),
      copies_(device),
      rows_(options.rows),
      outside_(options.outside),
      on_device_(options.on_device),
      metric_(options.metric),
      zero_rows_(options.zero_rows),
      arithmetic_(how),
      n_(rows_.n),
      stride_(static_cast<std::int32_t>(divide_up(rows_.d, kRowItems) * kRowItems)),
      chunk_rows_(n_),
      borrowed_(on_device_ && arithmetic_.precision == Precision::kHalf && rows_.dtype == DType::kFloat16 &&
                rows_.d % kRowItems == 0 && reinterpret_cast<std::uintptr_t>(rows_.data) % 16 == 0),
      uploader_(device, interrupt, upload_bytes(options)) {
  if (n_ > INT32_MAX / 2) throw std::invalid_argument("embeddings: too many rows for backend \"cuda\".");
  if (on_device_ && options.stream != 0) {
    Event given(device);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): handles of streams come as numbers
    given.record(reinterpret_cast<cudaStream_t>(options.stream));
    given.hold_back(stream.get());
    given.hold_back(copies_.get());
    given.wait();
  }
  if (!borrowed_) choose_chunks(options.block_rows);
  const RowTarget keep = borrowed_ || !resident() ? RowTarget{nullptr, nullptr, stride_} : target(slots_[0]);
  const auto facts = check(rows_, on_device_, ignored_, keep);
  const auto outside = check(outside_, false, outside_ignored_, {nullptr, nullptr, stride_});
  double largest = options.range;
  for (const RowFacts& row : facts) largest = std::max(largest, row.squared_norm);
  for (const RowFacts& row : outside) largest = std::max(largest, row.squared_norm);
  range_ = similarity_range(metric_, largest);
  exponent_ = scale_exponent(range_, kScaleBits);
  scale_ = std::ldexp(1.0, exponent_);
  if (options.floor) floor_ = static_cast<std::int32_t>(fixed_floor(*options.floor, range_, scale_));
  host_factors_ = factors(facts, metric_);
  outside_factors_ = factors(outside, metric_);
  if (metric_ != Metric::kCosine) cosine_factors_ = factors(facts, Metric::kCosine);
  factors_ = Buffer<float>(device_, n_);
  stream_.upload(std::span<const float>(host_factors_), factors_.data());
}

// One chunk if all rows fit beside what the work on them needs; else as many rows a chunk as kSlots allow.
void Pool::choose_chunks(Index wanted) {
  const std::size_t row = at(stride_) * sizeof(std::uint16_t) * at(planes(arithmetic_.precision));
  const std::size_t free = device_.free_bytes();
  const std::size_t work = std::min(kWorkBytes, free / 4) + kRowWork * at(n_);
  const std::size_t room = free > work ? free - work : 0;
  std::size_t slots = 1;
  if (wanted > 0 || at(n_) * row > room) {
    const std::size_t slot = std::min(room / kSlots, std::max(kSlotBytes, at(kSumRows) * row));
    const Index most = static_cast<Index>(slot / row) / kSumRows * kSumRows;
    chunk_rows_ = wanted > 0 ? std::min(divide_up(wanted, kSumRows) * kSumRows, most) : most;
    if (most < kSumRows) {
      throw_out_of_memory(work + at(kSlots) * kSumRows * row, free, "the smallest part of the embeddings");
    }
    chunk_rows_ = std::min(chunk_rows_, n_);
    slots = chunk_rows_ < n_ ? kSlots : 1;
  }
  slots_ = std::vector<Slot>(slots);
  for (Slot& slot : slots_) {
    slot.high = Buffer<std::uint16_t>(device_, chunk_rows_ * stride_);
    if (arithmetic_.precision == Precision::kSplit)
      slot.low = Buffer<std::uint16_t>(device_, chunk_rows_ * stride_);
    slot.ready = std::make_unique<Event>(device_);
    slot.free = std::make_unique<Event>(device_);
  }
  if (slots == 1) slots_[0].chunk = 0;
}

// Rows that are kept are stored; the others pass by. Bad rows of the device are fetched for the message.
std::vector<RowFacts> Pool::check(const RowView& rows, bool on_device, std::vector<Index>& ignored,
                                  const RowTarget& keep) {
  std::vector<RowFacts> facts(at(rows.n));
  if (rows.n == 0) return facts;
  const Buffer<RowFacts> found(device_, rows.n);
  // In split precision the stored norm depends on both planes: the rows are stored somewhere, part by part.
  const bool passing = keep.high == nullptr && arithmetic_.precision == Precision::kSplit;
  Batch batch;
  const Index part = passing ? kPassingRows : rows.n;
  for (Index first = 0; first < rows.n; first += part) {
    const Index count = std::min(part, rows.n - first);
    const RowTarget here = passing ? room(batch, at(count)) : keep;
    if (on_device) {
      uploader_.device_rows(rows, first, count, here, found.data() + first, stream_.get());
    } else {
      uploader_.rows(rows, first, count, here, found.data() + first, stream_.get());
    }
  }
  stream_.download(found.data(), std::span(facts));
  std::vector<double> squared(facts.size());
  for (std::size_t i = 0; i < squared.size(); ++i) squared[i] = facts[i].squared_norm;
  std::vector<std::byte> fetched;
  const auto fetch = [&](Index row) {
    RowView one = rows;
    one.first = row;
    one.n = 1;
    fetched.resize(at(rows.d) * item_size(rows.dtype));
    stream_.download(rows.row(row), std::span(fetched));
    one.data = fetched.data();
    return one;
  };
  const auto in_place = [&](Index /*row*/) { return rows; };
  ignored = on_device ? check_rows(rows, squared, metric_, zero_rows_, fetch)
                      : check_rows(rows, squared, metric_, zero_rows_, in_place);
  return facts;
}

// Each of the two rows of a product carries half of the scale and its own: under cosine the inverse norm of
// what is stored, under dot the power of two that it was stored with.
std::vector<float> Pool::factors(std::span<const RowFacts> facts, Metric metric) const {
  std::vector<float> out(facts.size());
  const int half_exponent = (metric == metric_ ? exponent_ : kScaleBits) / 2;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const RowFacts& row = facts[i];
    if (metric == Metric::kDot) {
      out[i] = static_cast<float>(std::ldexp(1.0, half_exponent - row.shift));
    } else if (row.stored_squared_norm > 0.0) {
      out[i] = static_cast<float>(std::ldexp(1.0 / std::sqrt(row.stored_squared_norm), half_exponent));
    }
  }
  return out;
}

RowTarget Pool::target(const Slot& slot) const {
  return {slot.high.data(), arithmetic_.precision == Precision::kSplit ? slot.low.data() : nullptr, stride_};
}

Operand Pool::chunk(Index chunk) {
  Operand rows;
  if (borrowed_) {
    rows.high = reinterpret_cast<const std::uint16_t*>(rows_.data);
  } else {
    Slot& slot = bring(chunk);
    if (!resident()) {
      slot.ready->hold_back(stream_.get());
      slot.handed_out = true;
      slot.used = ++clock_;
    }
    rows.high = slot.high.data();
    rows.low = arithmetic_.precision == Precision::kSplit ? slot.low.data() : nullptr;
  }
  rows.factors = factors_.data() + begin(chunk);
  rows.count = static_cast<std::int32_t>(end(chunk) - begin(chunk));
  rows.stride = stride_;
  rows.depth = stride_;
  return rows;
}

void Pool::started() {
  for (Slot& slot : slots_) {
    if (std::exchange(slot.handed_out, false)) slot.free->record(stream_.get());
  }
}

void Pool::prefetch(Index chunk) {
  if (!resident() && chunk < chunks()) bring(chunk);
}

// The slot that holds the chunk, or the one that was not used for longest, filled on the copy stream.
Pool::Slot& Pool::bring(Index chunk) {
  Slot* oldest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.chunk == chunk) return slot;
    if (oldest == nullptr || slot.used < oldest->used) oldest = &slot;
  }
  Slot& slot = *oldest;
  slot.chunk = -1;  // until it is there
  if (std::exchange(slot.handed_out, false)) slot.free->record(stream_.get());
  slot.free->hold_back(copies_.get());
  const Index first = begin(chunk);
  const Index count = end(chunk) - first;
  if (on_device_) {
    uploader_.device_rows(rows_, first, count, target(slot), nullptr, copies_.get());
  } else {
    uploader_.rows(rows_, first, count, target(slot), nullptr, copies_.get());
  }
  slot.ready->record(copies_.get());
  slot.chunk = chunk;
  slot.used = ++clock_;
  return slot;
}

RowTarget Pool::room(Batch& batch, std::size_t count) {
  const auto items = static_cast<std::int64_t>(count) * stride_;
  batch.high.grow(device_, items);
  batch.factors.grow(device_, static_cast<std::int64_t>(count));
  if (arithmetic_.precision == Precision::kSplit) batch.low.grow(device_, items);
  batch.operand = {batch.high.data(),
                   arithmetic_.precision == Precision::kSplit ? batch.low.data() : nullptr,
                   batch.factors.data(),
                   nullptr,
                   static_cast<std::int32_t>(count),
                   stride_,
                   stride_};
  return {batch.high.data(), arithmetic_.precision == Precision::kSplit ? batch.low.data() : nullptr,
          stride_};
}

void Pool::finish(Batch& batch, std::span<const float> factors, std::size_t count) {
  stream_.upload(factors.first(count), batch.factors.data());
}

void Pool::gather(std::span<const Index> ids, Batch& batch) {
  const RowTarget to = room(batch, ids.size());
  if (ids.empty()) return;
  if (resident()) {
    const std::vector<std::int32_t> short_ids(ids.begin(), ids.end());
    ids_.grow(device_, static_cast<std::int64_t>(ids.size()));
    stream_.upload(std::span<const std::int32_t>(short_ids), ids_.data());
    launch_gather(chunk(0), ids_.data(), batch.operand.count, to, batch.factors.data(), stream_.get());
    return;
  }
  if (on_device_) {
    uploader_.device_rows(rows_, ids, to, nullptr, stream_.get());
  } else {
    uploader_.rows(rows_, ids, to, nullptr, stream_.get());
  }
  std::vector<float> factors(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) factors[i] = host_factors_[at(ids[i])];
  finish(batch, factors, ids.size());
}

void Pool::gather_outside(std::span<const Index> ids, Batch& batch) {
  const RowTarget to = room(batch, ids.size());
  uploader_.rows(outside_, ids, to, nullptr, stream_.get());
  std::vector<float> factors(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) factors[i] = outside_factors_[at(ids[i])];
  finish(batch, factors, ids.size());
}

void Pool::load(const RowView& rows, Index first, Index count, Metric metric, ZeroRows zero_rows,
                Batch& batch) {
  const RowTarget to = room(batch, at(count));
  const Buffer<RowFacts> found(device_, count);
  uploader_.rows(rows, first, count, to, found.data(), stream_.get());
  std::vector<RowFacts> facts(at(count));
  stream_.download(found.data(), std::span(facts));
  std::vector<double> squared(facts.size());
  for (std::size_t i = 0; i < squared.size(); ++i) {
    squared[i] = facts[i].squared_norm;
    if (metric == Metric::kDot && squared[i] > range_) {
      throw std::invalid_argument(rows.name + ": row " + std::to_string(first + static_cast<Index>(i)) +
                                  " is longer than every row of the pool.");
    }
  }
  RowView part = rows;
  part.data = rows.row(first);
  part.n = count;
  part.first = first;
  check_rows(part, squared, metric, zero_rows, [&](Index /*row*/) { return part; });
  finish(batch, factors(facts, metric), at(count));
}

}  // namespace qdit::cuda
