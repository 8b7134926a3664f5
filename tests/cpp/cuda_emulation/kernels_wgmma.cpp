// The kernels that multiply by wgmma, as plain functions.
#include "cuda/kernels/graph_wgmma.cu"
#include "cuda/kernels/pass_wgmma.cu"
#include "cuda/kernels/products_wgmma.cu"
