// A file of its own: nvcc compiles each .cu apart too.
#include "cuda/products.cu"
