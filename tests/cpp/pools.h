// Small pools of integer-valued rows, where every sum is exact.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "engine/pool_options.h"

struct IntegerPool {
  IntegerPool(qdit::Index rows, qdit::Index columns, unsigned seed)
      : n(rows), d(columns), values(static_cast<std::size_t>(rows * columns)) {
    std::mt19937 random(seed);
    for (auto& x : values) x = static_cast<float>(static_cast<int>(random() % 7) - 3);
  }

  qdit::RowView view() const {
    qdit::RowView rows;
    rows.data = reinterpret_cast<const std::byte*>(values.data());
    rows.n = n;
    rows.d = d;
    rows.dtype = qdit::DType::kFloat32;
    return rows;
  }

  qdit::PoolOptions options() const {
    qdit::PoolOptions options;
    options.rows = view();
    options.metric = qdit::Metric::kDot;
    return options;
  }

  std::int64_t dot(qdit::Index a, qdit::Index b) const {
    double sum = 0.0;
    for (qdit::Index k = 0; k < d; ++k) {
      sum += static_cast<double>(values[static_cast<std::size_t>(a * d + k)]) *
             static_cast<double>(values[static_cast<std::size_t>(b * d + k)]);
    }
    return static_cast<std::int64_t>(sum);
  }

  qdit::Index n;
  qdit::Index d;
  std::vector<float> values;
};
