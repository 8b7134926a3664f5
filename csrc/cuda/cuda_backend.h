// The CUDA backend. This folder is its host side, with the file names of csrc/cpu where both do the same;
// kernels/ is what runs on the device, and the headers that both sides read.
//
//   library         the functions that the module finds by dlsym
//   cuda_backend    Backend on a device; cuda_shard: the same as a part of a larger pool
//   device          a device, its memory, streams and events; uploader: rows on their way there
//   kernel_choice   how an engine multiplies, as cpu/dispatch; wgmma_check: whether wgmma does so rightly
//   context         what all parts below work with
//   pool            checked and scaled rows on the device, in chunks where not all of them fit
//   product         a batch of candidates with all rows; first_gains: with their sum. candidates: rows of the
//                   pool as such a batch; similarities: of rows with each other; covering: rows join the
//                   selection
//   exact_gains     gains from pick to pick, by alive_lists, which symmetric_pass counts and fills, and once
//                   they fit by grouped_pairs
//   reevaluation    gains that are bounds made exact, by the rows that rose since past_maxima
//   graph_builder   a similarity graph, by graph_pairs
//   *_on_host       what the host decides from counts about lists, and about the graph's comparisons
//   kernels/        kernels.h, graph_kernels.h: what the host calls. By a thread or a warp an item: rows,
//                   cover, lists, choice, picks (sums.cuh). By a block a tile: pass, products, graph, each
//                   with a twin for compute capability 9.0, _wgmma (tile.cuh; mma.cuh and wgmma.cuh multiply
//                   what loader.cuh brings). ptx.h and ptx_wgmma.h: the instructions of all
#pragma once

#include <memory>

#include "engine/backend.h"
#include "engine/pool_options.h"

namespace qdit::cuda {

std::unique_ptr<Backend> make_backend(PoolOptions options);

}  // namespace qdit::cuda
