/*
 * Selects rows of a .npy file, or of rows that it makes, and prints each pick with its gain.
 *
 *     cc -std=c99 select.c $(pkg-config --cflags --libs qdit) -o select
 *     ./select 5 0.7 exact
 *     ./select 100 0.7 exact embeddings.npy quality.npy
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "qdit.h"

static int fail(const char* what, const char* why) {
  fprintf(stderr, "select: %s %s\n", what, why);
  return 1;
}

/* A number from 0 to 1 by a linear congruential generator. */
static double draw(uint64_t* state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(*state >> 11) / 9007199254740992.0;
}

/* Rows and quality where no file is named. */
static int make_rows(npy_array* rows, npy_array* quality) {
  uint64_t state = 1;
  int64_t i;
  rows->rows = quality->rows = 1000;
  rows->columns = 32;
  quality->columns = 1;
  rows->type = 'f';
  quality->type = 'd';
  rows->items = malloc((size_t)(rows->rows * rows->columns) * sizeof(float));
  quality->items = malloc((size_t)quality->rows * sizeof(double));
  if (rows->items == NULL || quality->items == NULL) return fail("rows", "do not fit in memory");
  for (i = 0; i < rows->rows * rows->columns; ++i) ((float*)rows->items)[i] = (float)(draw(&state) - 0.5);
  for (i = 0; i < quality->rows; ++i) ((double*)quality->items)[i] = 1.0 + 4.0 * draw(&state);
  return 0;
}

static int32_t method_of(const char* name) {
  static const char* const names[] = {"exact", "lazy", "naive", "stochastic"}; /* in the order of qdit.h */
  int32_t i;
  for (i = 0; i < 4; ++i) {
    if (strcmp(name, names[i]) == 0) return i;
  }
  return -1; /* qdit_select says what is wrong with it */
}

static int32_t show(const qdit_progress* progress, void* user) {
  (void)user;
  fprintf(stderr, "%lld of %lld\n", (long long)progress->picked, (long long)progress->k);
  return 0; /* go on */
}

static int run(const npy_array* rows, const npy_array* quality, int64_t k, double alpha, const char* method) {
  qdit_pool_options pool_options = {0};
  qdit_select_options options = {0};
  qdit_pool* pool = NULL;
  int64_t* indices = malloc((size_t)k * sizeof *indices);
  double* gains = malloc((size_t)k * sizeof *gains);
  double coverage = 0.0;
  int64_t count = 0;
  int64_t i;
  qdit_status status = QDIT_ERROR_MEMORY;

  pool_options.size = sizeof pool_options;
  pool_options.rows = rows->items;
  pool_options.n = rows->rows;
  pool_options.d = rows->columns;
  pool_options.dtype = rows->type == 'e' ? QDIT_FLOAT16 : rows->type == 'f' ? QDIT_FLOAT32 : QDIT_FLOAT64;
  options.size = sizeof options;
  options.k = k;
  options.alpha = alpha;
  options.quality = quality->items;
  options.method = method_of(method);
  options.progress = show;
  options.interval = 1.0;

  if (indices != NULL && gains != NULL) status = qdit_pool_open(&pool_options, &pool);
  if (status == QDIT_OK) status = qdit_select(pool, &options, indices, gains, &count);
  if (status == QDIT_OK) status = qdit_coverage(pool, &coverage);
  for (i = 0; i < count; ++i) printf("%lld %.17g\n", (long long)indices[i], gains[i]);
  if (status == QDIT_OK) fprintf(stderr, "coverage %.6f\n", coverage);
  if (status != QDIT_OK)
    fail("failed:", indices == NULL || gains == NULL ? "out of memory" : qdit_last_error());
  qdit_pool_close(pool);
  free(gains);
  free(indices);
  return status == QDIT_OK ? 0 : 1;
}

/* Returns 0, or 1 and has said what is wrong. */
static int load(const char* path, npy_array* array) {
  const char* wrong = npy_read(path, array);
  return wrong == NULL ? 0 : fail(path, wrong);
}

static int load_both(const char* rows_path, const char* quality_path, npy_array* rows, npy_array* quality) {
  if (load(rows_path, rows) != 0 || load(quality_path, quality) != 0) return 1;
  if (quality->type == 'd' && quality->columns == 1 && quality->rows == rows->rows) return 0;
  return fail(quality_path, "must have one float64 for each row of the other file");
}

int main(int argc, char** argv) {
  npy_array rows = {0};
  npy_array quality = {0};
  int result;
  const long long k = argc > 1 ? atoll(argv[1]) : 0;
  if (k < 1 || (argc != 4 && argc != 6)) {
    return fail("wants:", "K ALPHA exact|lazy|naive|stochastic [EMBEDDINGS.npy QUALITY.npy]");
  }
  result = argc == 6 ? load_both(argv[4], argv[5], &rows, &quality) : make_rows(&rows, &quality);
  if (result == 0) result = run(&rows, &quality, k, atof(argv[2]), argv[3]);
  free(quality.items);
  free(rows.items);
  return result;
}
