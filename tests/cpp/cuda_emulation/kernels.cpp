// The kernels, as plain functions.
#include "cuda/kernels/cover.cu"
#include "cuda/kernels/lists.cu"
#include "cuda/kernels/pass.cu"
#include "cuda/kernels/picks.cu"
#include "cuda/kernels/rows.cu"
