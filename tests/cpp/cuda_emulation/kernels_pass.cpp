// Apart from kernels_products.cpp, whose helper functions go by the same names.
#include "cuda/kernels/pass.cu"
