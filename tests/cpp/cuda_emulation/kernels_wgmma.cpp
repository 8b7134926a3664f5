// The kernels that multiply by wgmma, as plain functions.
#include "cuda/graph_wgmma.cu"
#include "cuda/pass_wgmma.cu"
#include "cuda/products_wgmma.cu"
