// What pass.cu and products.cu do, by the kernels of csrc/cpu: for pools that are too large for emulated
// tensor cores. A model of the work: all decisions and all other kernels are those of the library.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/dispatch.h"
#include "cpu/kernels.h"
#include "cuda/kernels/graph.cu"
#include "cuda/kernels/kernels.h"
#include "cuda_runtime.h"

namespace qdit::cuda {
namespace {

constexpr std::int32_t kSide = 192;

std::int64_t source(const Operand& rows, std::int32_t i) { return rows.ids != nullptr ? rows.ids[i] : i; }

// Similarities of up to kSide rows with as many columns, in fixed point.
class Block {
 public:
  static Block& get() {
    static Block block;
    return block;
  }

  // sims(i, j) of rows first_row + i and columns first_column + j.
  void multiply(const Operand& rows, std::int32_t first_row, const Operand& columns,
                std::int32_t first_column) {
    row_count = std::min(kSide, rows.count - first_row);
    column_count = std::min(kSide, columns.count - first_column);
    resize(rows.depth);
    decode(rows, first_row);
    pack(columns, first_column);
    cpu::Tile tile{};
    tile.block_stride = block_stride_;
    tile.row_max = max_.data();
    tile.panel_stride = static_cast<std::size_t>(depth_ * kernels_.lanes);
    tile.depth = depth_;
    tile.partial = partial_.data();
    tile.gains = gains_.data();
    tile.sims_stride = kSide;
    for (std::int32_t i = 0; i < row_count; i += kernels_.tile_rows) {
      tile.rows = rows_.data() + i * cpu::kRowStride;
      tile.row_factor = row_factor_.data() + i;
      for (std::int32_t j = 0; j < column_count; j += 2 * kernels_.lanes) {
        tile.panel = panels_.data() + j * depth_;
        tile.lane_factor = column_factor_.data() + j;
        tile.sims = sims_.data() + i * kSide + j;
        kernels_.wide(tile);
      }
    }
  }

  // Rows may be others at the same place.
  void forget() { packed_ = nullptr; }

  const std::int32_t* sims(std::int32_t i) const { return sims_.data() + i * kSide; }

  std::int32_t row_count = 0;
  std::int32_t column_count = 0;

 private:
  Block() : kernels_(cpu::select_kernels("")) {}

  void resize(int depth) {
    if (depth == depth_) return;
    depth_ = depth;
    const auto blocks = static_cast<std::size_t>((depth + cpu::kDepth - 1) / cpu::kDepth);
    const auto rows = static_cast<std::size_t>(kSide + cpu::kMostTileRows);
    block_stride_ = rows * cpu::kRowStride;
    rows_.assign(blocks * block_stride_, 0.0f);
    panels_.assign(static_cast<std::size_t>(kSide * depth), 0.0f);
    row_factor_.assign(rows, 0.0f);
    column_factor_.assign(kSide, 0.0f);
    max_.assign(rows, cpu::kPaddingMax);
    partial_.assign(static_cast<std::size_t>(cpu::kMostTileRows * 2 * kernels_.lanes), 0.0f);
    gains_.assign(static_cast<std::size_t>(2 * kernels_.lanes), 0);
    sims_.assign(rows * kSide, 0);
    packed_ = nullptr;
  }
  void decode(const Operand& rows, std::int32_t first) {
    for (std::int32_t i = 0; i < row_count; ++i) {
      const std::int64_t row = source(rows, first + i);
      row_factor_[static_cast<std::size_t>(i)] = rows.factors[row];
      for (int k = 0; k < depth_; k += cpu::kDepth) {
        kernels_.decode_float16(
            rows.high + row * rows.stride + k,
            rows_.data() + static_cast<std::size_t>(k / cpu::kDepth) * block_stride_ + i * cpu::kRowStride,
            static_cast<std::size_t>(std::min(cpu::kDepth, depth_ - k)));
      }
    }
  }
  // Blocks come column by column: most of the time they are there.
  void pack(const Operand& columns, std::int32_t first) {
    if (columns.ids == nullptr && packed_ == columns.high + first * columns.stride) return;
    packed_ = columns.ids == nullptr ? columns.high + first * columns.stride : nullptr;
    std::vector<float> row(static_cast<std::size_t>(depth_));
    for (std::int32_t j = 0; j < column_count; ++j) {
      const std::int64_t column = source(columns, first + j);
      column_factor_[static_cast<std::size_t>(j)] = columns.factors[column];
      kernels_.decode_float16(columns.high + column * columns.stride, row.data(), row.size());
      float* to = panels_.data() + j / kernels_.lanes * kernels_.lanes * depth_ + j % kernels_.lanes;
      for (int k = 0; k < depth_; ++k) to[k * kernels_.lanes] = row[static_cast<std::size_t>(k)];
    }
  }

  const cpu::Kernels& kernels_;
  int depth_ = 0;
  std::size_t block_stride_ = 0;
  const std::uint16_t* packed_ = nullptr;
  AlignedVector<float> rows_;
  AlignedVector<float> panels_;
  AlignedVector<float> row_factor_;
  AlignedVector<float> column_factor_;
  AlignedVector<std::int32_t> max_;
  AlignedVector<float> partial_;
  AlignedVector<std::int64_t> gains_;
  AlignedVector<std::int32_t> sims_;
};

// Starts what a launch does, as work of the stream: by the first thread of a warp.
void start(const Arithmetic& how, cudaStream_t stream, std::function<void()> work) {
  if (how.precision != Precision::kHalf) throw std::logic_error("products on the host are of float16 alone.");
  cudaLaunchConfig_t config;
  config.blockDim = dim3(kWarp);
  config.stream = stream;
  QDIT_CUDA_CHECK(emulate_launch(config, nullptr, [work = std::move(work)] {
    if (threadIdx.x == 0) work();
  }));
}

// All blocks of two operands, those that share columns after each other.
template <class Function>
void for_blocks(const Operand& rows, const Operand& columns, const Function& function) {
  Block& block = Block::get();
  block.forget();
  for (std::int32_t column = 0; column < columns.count; column += kSide) {
    for (std::int32_t row = 0; row < rows.count; row += kSide) {
      block.multiply(rows, row, columns, column);
      function(block, row, column);
    }
  }
}

// What a pass knows of the rows or columns of a block.
struct Side {
  std::int32_t max[kSide];
  std::int32_t threshold[kSide];
  Sum gains[kSide] = {};
  std::uint32_t counts[kSide] = {};

  Side(const PassSide& side, std::int32_t first, std::int32_t count) {
    for (std::int32_t i = 0; i < count; ++i) {
      max[i] = side.max[source(side.rows, first + i)];
      threshold[i] = side.threshold[source(side.rows, first + i)];
    }
  }
  void add(const PassSide& side, std::int32_t first, std::int32_t count) const {
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int64_t at = source(side.rows, first + i);
      if (gains[i] != 0) side.gains[at] += gains[i];
      if (counts[i] != 0) side.counts[at] += counts[i];
    }
  }
};

void count_block(const PassArguments& arguments, const Block& block, std::int32_t row, std::int32_t column,
                 bool both) {
  Side rows(arguments.rows, row, block.row_count);
  Side columns(arguments.columns, column, block.column_count);
  for (std::int32_t i = 0; i < block.row_count; ++i) {
    const std::int32_t* sims = block.sims(i);
    Sum gain = 0;
    std::uint32_t count = 0;
    for (std::int32_t j = 0; j < block.column_count; ++j) {
      gain += relu_difference(sims[j], columns.max[j]);
      count += sims[j] > rows.threshold[i] ? 1 : 0;
      columns.gains[j] += relu_difference(sims[j], rows.max[i]);
      columns.counts[j] += sims[j] > columns.threshold[j] ? 1 : 0;
    }
    rows.gains[i] = gain;
    rows.counts[i] = count;
  }
  rows.add(arguments.rows, row, block.row_count);
  if (both) columns.add(arguments.columns, column, block.column_count);
}

void fill_block(const PassArguments& arguments, const Block& block, std::int32_t row, std::int32_t column,
                bool both, Pair* pairs) {
  const auto append = [&](const PassSide& side, std::int32_t at, std::int32_t id, std::int32_t sim) {
    const std::int64_t list = source(side.rows, at);
    pairs[side.list_begin[list] + side.counts[list]++] = {static_cast<std::uint32_t>(id), sim};
  };
  const Side rows(arguments.rows, row, block.row_count);
  const Side columns(arguments.columns, column, block.column_count);
  for (std::int32_t i = 0; i < block.row_count; ++i) {
    for (std::int32_t j = 0; j < block.column_count; ++j) {
      const std::int32_t sim = block.sims(i)[j];
      if (sim > rows.threshold[i]) append(arguments.rows, row + i, arguments.columns.begin + column + j, sim);
      if (both && sim > columns.threshold[j]) {
        append(arguments.columns, column + j, arguments.rows.begin + row + i, sim);
      }
    }
  }
}

template <class Function>
void for_tiles(const Arithmetic& how, const PassArguments& arguments, std::int64_t first, std::int64_t count,
               const Function& function) {
  const auto tile = static_cast<std::int32_t>(tile_rows(how));
  if (tile > kSide) throw std::logic_error("a tile larger than the model's blocks.");
  Block& block = Block::get();
  block.forget();
  for (std::int64_t index = first; index < first + count; ++index) {
    const TilePlace place = arguments.map.at(index);
    if (!place.used) continue;
    Operand rows = arguments.rows.rows;
    Operand columns = arguments.columns.rows;
    rows.count = std::min(rows.count, (place.row + 1) * tile);
    columns.count = std::min(columns.count, (place.column + 1) * tile);
    block.multiply(rows, place.row * tile, columns, place.column * tile);
    function(block, place.row * tile, place.column * tile,
             !arguments.map.symmetric || place.row != place.column);
  }
}

}  // namespace

void launch_pass(const Arithmetic& how, const PassArguments& arguments, std::int64_t first,
                 std::int64_t count, cudaStream_t stream) {
  start(how, stream, [=] {
    for_tiles(how, arguments, first, count,
              [&](const Block& block, std::int32_t row, std::int32_t column, bool both) {
                count_block(arguments, block, row, column, both);
              });
  });
}

void launch_fill(const Arithmetic& how, const PassArguments& arguments, Pair* pairs, std::int64_t first,
                 std::int64_t count, cudaStream_t stream) {
  start(how, stream, [=] {
    for_tiles(how, arguments, first, count,
              [&](const Block& block, std::int32_t row, std::int32_t column, bool both) {
                fill_block(arguments, block, row, column, both, pairs);
              });
  });
}

void launch_gains(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                  const std::int32_t* max, Sum* gains, cudaStream_t stream) {
  start(how, stream, [=] {
    std::int32_t limit[kSide];
    for_blocks(candidates, rows, [&](const Block& block, std::int32_t row, std::int32_t column) {
      for (std::int32_t j = 0; j < block.column_count; ++j) limit[j] = max[source(rows, column + j)];
      for (std::int32_t i = 0; i < block.row_count; ++i) {
        const std::int32_t* sims = block.sims(i);
        Sum sum = 0;
        for (std::int32_t j = 0; j < block.column_count; ++j) sum += relu_difference(sims[j], limit[j]);
        gains[row + i] += sum;
      }
    });
  });
}

void launch_losses(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                   const PastRises& rises, Sum* losses, cudaStream_t stream) {
  start(how, stream, [=] {
    std::int32_t from[kSide];
    std::int32_t to[kSide];
    std::int32_t threshold[kSide];
    for_blocks(candidates, rows, [&](const Block& block, std::int32_t row, std::int32_t column) {
      for (std::int32_t j = 0; j < block.column_count; ++j) {
        const std::int64_t v = source(rows, column + j);
        from[j] = rises.from[v];
        to[j] = rises.to[v];
        threshold[j] = rises.threshold[v];
      }
      for (std::int32_t i = 0; i < block.row_count; ++i) {
        const std::int32_t* sims = block.sims(i);
        Sum sum = 0;
        for (std::int32_t j = 0; j < block.column_count; ++j) {
          sum += lost(sims[j], from[j], to[j], threshold[j]);
        }
        losses[row + i] += sum;
      }
    });
  });
}

void launch_similarities(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                         std::int32_t* sims, std::int64_t stride, cudaStream_t stream) {
  start(how, stream, [=] {
    for_blocks(candidates, rows, [&](const Block& block, std::int32_t row, std::int32_t column) {
      for (std::int32_t i = 0; i < block.row_count; ++i) {
        std::copy_n(block.sims(i), block.column_count, sims + (row + i) * stride + column);
      }
    });
  });
}

void launch_nearest(const Arithmetic& how, const Operand& rows, const Operand& candidates,
                    std::uint32_t begin, Sum* best, cudaStream_t stream) {
  start(how, stream, [=] {
    for_blocks(rows, candidates, [&](const Block& block, std::int32_t row, std::int32_t column) {
      for (std::int32_t i = 0; i < block.row_count; ++i) {
        for (std::int32_t j = 0; j < block.column_count; ++j) {
          const Sum key = nearest_key(block.sims(i)[j], begin + static_cast<std::uint32_t>(column + j));
          best[row + i] = std::max(best[row + i], key);
        }
      }
    });
  });
}

}  // namespace qdit::cuda
