// The kernels, as plain functions: those without tensor cores.
#include "cuda/kernels/choice.cu"
#include "cuda/kernels/cover.cu"
#include "cuda/kernels/lists.cu"
#include "cuda/kernels/picks.cu"
#include "cuda/kernels/rows.cu"
