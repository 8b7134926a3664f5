#include "cuda/kernels/graph.cu"
#include "cuda/kernels/products.cu"
