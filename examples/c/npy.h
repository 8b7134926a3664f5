/* Reads the .npy files of NumPy, as far as the example needs: C order, little-endian floats, at most 2
 * dimensions. */
#ifndef NPY_H
#define NPY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct npy_array {
  void* items; /* malloc() */
  int64_t rows;
  int64_t columns; /* 1 where there is one dimension */
  char type;       /* 'e', 'f' or 'd': float16, float32, float64 */
} npy_array;

static int64_t npy_item_size(char type) { return type == 'e' ? 2 : type == 'f' ? 4 : 8; }

/* What follows a key of the header, or NULL. */
static const char* npy_value(const char* header, const char* key) {
  const char* at = strstr(header, key);
  return at == NULL ? NULL : at + strlen(key);
}

static const char* npy_header(const char* header, npy_array* array) {
  const char* descr = npy_value(header, "'descr': ");
  const char* order = npy_value(header, "'fortran_order': ");
  const char* shape = npy_value(header, "'shape': (");
  long long rows = 0;
  long long columns = 1;
  if (descr == NULL || order == NULL || shape == NULL) return "has no usable header";
  if (strncmp(descr, "'<f2'", 5) == 0) {
    array->type = 'e';
  } else if (strncmp(descr, "'<f4'", 5) == 0) {
    array->type = 'f';
  } else if (strncmp(descr, "'<f8'", 5) == 0) {
    array->type = 'd';
  } else {
    return "is not of little-endian float16, float32 or float64";
  }
  if (strncmp(order, "False", 5) != 0) return "is not in C order";
  if (sscanf(shape, "%lld, %lld)", &rows, &columns) < 1 || rows < 1 || columns < 1) {
    return "has no shape of 1 or 2 dimensions";
  }
  array->rows = rows;
  array->columns = columns;
  return NULL;
}

static const char* npy_read_from(FILE* file, npy_array* array) {
  unsigned char start[10];
  unsigned char more[2] = {0, 0};
  size_t length;
  size_t count;
  char* header;
  const char* wrong;
  if (fread(start, 1, sizeof start, file) != sizeof start || memcmp(start, "\x93NUMPY", 6) != 0) {
    return "is not a .npy file";
  }
  if (start[6] > 1 && fread(more, 1, sizeof more, file) != sizeof more) return "ends in its header";
  length = start[8] + 256u * start[9] + 65536u * (more[0] + 256u * more[1]);
  header = malloc(length + 1);
  if (header == NULL) return "has a header that does not fit in memory";
  header[length] = '\0';
  wrong = fread(header, 1, length, file) == length ? npy_header(header, array) : "ends in its header";
  free(header);
  if (wrong != NULL) return wrong;
  count = (size_t)array->rows * (size_t)array->columns;
  array->items = malloc(count * (size_t)npy_item_size(array->type));
  if (array->items == NULL) return "does not fit in memory";
  return fread(array->items, (size_t)npy_item_size(array->type), count, file) == count ? NULL
                                                                                       : "is too short";
}

/* Returns NULL, or what is wrong with the file. array->items is the caller's to free() in any case. */
static const char* npy_read(const char* path, npy_array* array) {
  FILE* file = fopen(path, "rb");
  const char* wrong;
  memset(array, 0, sizeof *array);
  if (file == NULL) return "cannot be opened";
  wrong = npy_read_from(file, array);
  fclose(file);
  return wrong;
}

#endif
