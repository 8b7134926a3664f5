/**
 * qdit: choose rows that are both good and diverse, from C and from whatever can call C.
 *
 * A pool is an array of n rows (embeddings) in the caller's memory. `qdit_select` picks k of them greedily;
 * each pick maximises
 *
 *     (1 - alpha) * factor * gain + alpha * quality
 *
 * where gain is what the row adds to d(A), the sum over all rows of the similarity to the nearest chosen one
 * (Bukharin & Zhao, arXiv 2311.14736, Algorithm 2). Picks and gains have the same bits as those of
 * `qdit.select` in Python under the same options, on any number of threads.
 *
 * What holds everywhere:
 *
 * - Every function but the few that cannot fail returns a status. Of anything but QDIT_OK `qdit_last_error`
 * says what was wrong, which row, what was wanted. Nothing aborts, prints or throws.
 * - The caller owns all memory that it passes, in and out; a pool keeps a pointer to the rows and never
 * writes to them. What the library allocates is freed by `qdit_pool_close` alone.
 * - Options are structs that begin with their own size. Every other member that is zero takes its default, so
 * that `qdit_select_options options = {0}; options.size = sizeof options;` is a good start, and a program
 * that was built with an older header of the same soname goes on working.
 * - A pool serves one call at a time; a second one at the same time gets QDIT_ERROR_STATE. Pools are
 * independent of each other. A pool cannot be used in a child of fork().
 */
#ifndef QDIT_H
#define QDIT_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header. `qdit_version` is that of the library. */
#define QDIT_VERSION_MAJOR 0
#define QDIT_VERSION_MINOR 1
#define QDIT_VERSION_PATCH 0
#define QDIT_VERSION_NUMBER (QDIT_VERSION_MAJOR * 10000 + QDIT_VERSION_MINOR * 100 + QDIT_VERSION_PATCH)
#define QDIT_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define QDIT_API __attribute__((visibility("default")))
#else
#define QDIT_API
#endif

#if defined(__cplusplus)
extern "C" {
#endif

/** What a call came to. */
typedef int32_t qdit_status;
enum {
  QDIT_OK = 0,
  QDIT_ERROR_ARGUMENT = 1, /**< a wrong argument, option or row; calling again changes nothing */
  QDIT_ERROR_MEMORY = 2,   /**< out of memory */
  QDIT_ERROR_STATE = 3, /**< the pool is in use, or an interrupted call left it half made: `qdit_reset` it */
  QDIT_ERROR_RUNTIME = 4, /**< anything else, such as threads that the system does not give */
  QDIT_CANCELLED = 5      /**< the progress callback asked for it */
};

/** The type of the items of rows. */
enum {
  QDIT_FLOAT16 = 1,  /**< IEEE 754 binary16 */
  QDIT_BFLOAT16 = 2, /**< the upper half of a float32 */
  QDIT_FLOAT32 = 3,
  QDIT_FLOAT64 = 4 /**< rounded to float32 as it is read */
};

/** What similarity is. */
enum {
  QDIT_COSINE = 0, /**< rows are normalised as they are read */
  QDIT_DOT = 1
};

/** What to do with rows of zeros under QDIT_COSINE. */
enum {
  QDIT_ZERO_ROWS_ERROR = 0,
  QDIT_ZERO_ROWS_IGNORE = 1 /**< they are neither picked nor covered */
};

/** Who computes. */
enum {
  QDIT_BACKEND_CPU = 0,
  QDIT_BACKEND_REFERENCE = 1 /**< float64, one thread, plain loops: to check against */
};

/** How to pick. The first three make the same picks. */
enum {
  QDIT_EXACT = 0, /**< one pass over all pairs, then every gain is kept up to date */
  QDIT_LAZY = 1,  /**< upper bounds in a queue (Minoux 1978) */
  QDIT_NAIVE = 2, /**< every gain at every pick */
  QDIT_STOCHASTIC =
      3 /**< best of ceil(n / k * ln(1 / epsilon)) random candidates (Mirzasoleiman et al. 2015) */
};

/** What a gain is multiplied by, beside 1 - alpha. */
enum {
  QDIT_GAIN_SUM = 0,  /**< 1 */
  QDIT_GAIN_PER_K = 1 /**< k / n: the balance with quality then does not move with n / k */
};

/** Rows, and how to compare them. */
typedef struct qdit_pool_options {
  size_t size;      /**< sizeof(qdit_pool_options) */
  const void* rows; /**< n * d items, row after row without gaps, aligned to an item; must outlive the pool */
  int64_t n;        /**< rows */
  int64_t d;        /**< items of a row */
  int32_t dtype;    /**< QDIT_FLOAT16, ...; has no default */
  int32_t metric;   /**< QDIT_COSINE or QDIT_DOT */
  int32_t zero_rows; /**< QDIT_ZERO_ROWS_ERROR or QDIT_ZERO_ROWS_IGNORE */
  int32_t backend;   /**< QDIT_BACKEND_CPU or QDIT_BACKEND_REFERENCE */
  const char*
      simd; /**< "avx512vnni", "avx512", "avx2", "neon" or "baseline"; NULL: the best that runs here */
  const void* outside; /**< rows that are already chosen and not in the pool: they cover; NULL: none. Outlives
                          the pool */
  int64_t outside_n;   /**< how many */
  int32_t outside_dtype; /**< their type; they have d items too */
  int32_t threads;       /**< 0: every processor that this process may use. Never changes a result */
  int64_t
      cache_bytes; /**< memory for similarities of evaluated candidates (all methods but QDIT_EXACT); 0: 512
                      MB or a quarter of what is available, whichever is less. Never changes a result */
  double floor;    /**< similarity that every row starts with, if has_floor; else rows start with nothing, and
                        the first pick's similarities count as they are, negative ones too */
  int32_t has_floor; /**< 0 or 1 */
  int32_t reserved;  /**< 0 */
} qdit_pool_options;

/** How far `qdit_select` is. */
typedef struct qdit_progress {
  size_t size;    /**< sizeof(qdit_progress) of the library */
  int64_t picked; /**< so many entries of `indices` and `gains` are there already; with costs it begins again
                     at 0 for the second of the two runs */
  int64_t k;      /**< of so many */
  int64_t evaluations; /**< marginal gains that were computed so far */
} qdit_progress;

/**
 * Told on the thread that called `qdit_select`; returns 0 to go on, anything else to end the call with
 * QDIT_CANCELLED. It must return: no exception, no longjmp. Calls on the same pool from here get
 * QDIT_ERROR_STATE.
 */
typedef int32_t (*qdit_progress_callback)(const qdit_progress* progress, void* user);

/** What to pick. */
typedef struct qdit_select_options {
  size_t size;           /**< sizeof(qdit_select_options) */
  int64_t k;             /**< rows to pick, at least 1; with costs at most so many */
  double alpha;          /**< from 0 (diversity only) to 1 (quality only) */
  const double* quality; /**< n finite scores, larger is better, used as they are; NULL needs alpha = 0 */
  int32_t method;     /**< QDIT_EXACT, ...; at alpha = 1 without costs and groups all take the best scores */
  int32_t gain_scale; /**< QDIT_GAIN_SUM or QDIT_GAIN_PER_K */
  double epsilon;     /**< of QDIT_STOCHASTIC, between 0 and 1; 0: 0.01 */
  uint64_t seed;      /**< of QDIT_STOCHASTIC */
  const int64_t* given; /**< row numbers that are already chosen: they cover and are not picked; NULL: none */
  int64_t given_count;  /**< how many */
  const double* costs; /**< n positive costs such as tokens, with budget; NULL: none. Greedy by score per cost
                          and greedy by score both run, the one with the larger objective is returned
                          (Leskovec et al., KDD 2007). Not for QDIT_STOCHASTIC */
  double budget;       /**< what the costs of the picks may add up to, but for four units in its last place:
                          three times 0.1 fit 0.3 */
  const int64_t* groups; /**< n group numbers from 0 to group_count - 1, with quotas; NULL: none */
  const int64_t*
      quotas;          /**< group_count: the most rows of each group; k equal to their sum fills every one */
  int64_t group_count; /**< groups */
  const int64_t* resume; /**< the first picks of this very selection, made by an earlier call that was
                            cancelled: the result is that of an unbroken call; NULL: none. Not with costs */
  int64_t resume_count;  /**< how many */
  int64_t pair_bytes; /**< memory for alive pairs (QDIT_EXACT); 0: half of what is available. Never changes a
                         result */
  qdit_progress_callback progress; /**< NULL: none */
  void* user;                      /**< handed to it */
  double interval;                 /**< seconds between its calls, at least; 0: 0.25 */
} qdit_select_options;

/** What a pool is. */
typedef struct qdit_pool_info {
  size_t size;            /**< sizeof(qdit_pool_info) */
  int64_t n;              /**< rows */
  int64_t d;              /**< items of a row */
  int64_t ignored_count;  /**< rows of zeros that take no part */
  const int64_t* ignored; /**< their numbers, ascending; the pool's memory */
  const char* simd;    /**< the instruction set in use, "" for the reference; lives as long as the library */
  int32_t threads;     /**< threads in use */
  int32_t reserved;    /**< 0 */
  int64_t evaluations; /**< marginal gains that were computed so far */
  int64_t peak_bytes;  /**< the most memory that the engine held, the rows not counted */
} qdit_pool_info;

/** Rows, and what is chosen of them. */
typedef struct qdit_pool qdit_pool;

/** The version of the library, such as "0.1.0". */
QDIT_API const char* qdit_version(void);

/** The version of the library as QDIT_VERSION_NUMBER has it. */
QDIT_API int32_t qdit_version_number(void);

/** What was wrong with the last call of this thread that failed; "" before any did. Valid until the next that
 * fails. */
QDIT_API const char* qdit_last_error(void);

/**
 * Checks every row and makes a pool over them, with nothing chosen but the outside rows.
 *
 * `*pool` is NULL where it fails. A pool keeps its threads until it is closed; open one and select often.
 */
QDIT_API qdit_status qdit_pool_open(const qdit_pool_options* options, qdit_pool** pool);

/** Frees a pool; NULL is one that is closed. QDIT_ERROR_STATE, and nothing freed, while a call on it runs. */
QDIT_API qdit_status qdit_pool_close(qdit_pool* pool);

/** Fills `*info`; `info->size` must be set. */
QDIT_API qdit_status qdit_pool_get_info(qdit_pool* pool, qdit_pool_info* info);

/**
 * Picks rows.
 *
 * It starts afresh, whatever was chosen before, and leaves the pool with the given rows and the picks chosen,
 * so that `qdit_coverage`, `qdit_row_coverage` and `qdit_gains` speak of the result.
 *
 * - `indices`: room for k row numbers; the picks, the first one first, the smaller number on ties.
 * - `gains`: room for k, or NULL; what each pick added to d(A), in units of similarity.
 * - `count`: how many were picked: k, or fewer with costs. After QDIT_CANCELLED the picks until then (none
 * with costs), which `resume` takes; 0 after an error.
 */
QDIT_API qdit_status qdit_select(qdit_pool* pool, const qdit_select_options* options, int64_t* indices,
                                 double* gains, int64_t* count);

/** Empties what is chosen, then chooses the given rows (and the outside rows); `given` may be NULL if count
 * is 0. */
QDIT_API qdit_status qdit_reset(qdit_pool* pool, const int64_t* given, int64_t count);

/** `gains[i]` = what row `candidates[i]` would add to d(A), in units of similarity. It changes nothing. */
QDIT_API qdit_status qdit_gains(qdit_pool* pool, const int64_t* candidates, int64_t count, double* gains);

/** Chooses rows in this order; `increases[i]` = what the i-th added to d(A). `increases` may be NULL. */
QDIT_API qdit_status qdit_commit(qdit_pool* pool, const int64_t* rows, int64_t count, double* increases);

/** `*coverage` = d(A) / n, the mean over all rows of the similarity to the nearest chosen one; 0 while none
 * is.
 */
QDIT_API qdit_status qdit_coverage(qdit_pool* pool, double* coverage);

/** `coverage[v]` = the similarity of row v to the nearest chosen one, for all n rows; 0 while none is. */
QDIT_API qdit_status qdit_row_coverage(qdit_pool* pool, double* coverage);

#if defined(__cplusplus)
}
#endif

#endif
