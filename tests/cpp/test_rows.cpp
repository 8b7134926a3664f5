#include <cmath>
#include <cstring>

#include "check.h"
#include "cpu/dispatch.h"
#include "cpu/pool.h"
#include "engine/fixed_point.h"
#include "engine/row_check.h"
#include "engine/rows.h"

using namespace qdit;

namespace {

template <class T>
RowView view(const std::vector<T>& values, Index n, Index d, DType dtype) {
  RowView rows;
  rows.data = reinterpret_cast<const std::byte*>(values.data());
  rows.n = n;
  rows.d = d;
  rows.dtype = dtype;
  return rows;
}

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

TEST(every_float16_decodes_exactly_at_every_level) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const auto rows = view(all, 65536, 1, DType::kFloat16);
  for (const auto& level : cpu::supported_levels()) {
    // 65535: a tail that fills no vector
    for (const std::size_t count : {std::size_t{65536}, std::size_t{65535}}) {
      std::vector<float> out(65537, -7.0f);
      cpu::decode(cpu::select_kernels(level), DType::kFloat16, rows.data, out.data(), count);
      for (std::size_t i = 0; i < count; ++i) {
        const double wanted = item_value(rows, static_cast<Index>(i), 0);
        const bool right =
            std::isnan(wanted) ? std::isnan(out[i]) : same_bits(out[i], static_cast<float>(wanted));
        CHECK(right);
      }
      CHECK(out[count] == -7.0f);
    }
  }
}

TEST(the_other_formats_decode_exactly) {
  const cpu::Kernels& kernels = cpu::select_kernels("baseline");
  float out[3] = {};
  const std::vector<std::uint16_t> bf{0x3f80, 0xc000, 0x0001};  // 1, -2, the least subnormal
  cpu::decode(kernels, DType::kBFloat16, view(bf, 1, 3, DType::kBFloat16).data, out, 3);
  CHECK(out[0] == 1.0f && out[1] == -2.0f && out[2] == std::ldexp(1.0f, -133));
  CHECK(item_value(view(bf, 1, 3, DType::kBFloat16), 0, 2) == std::ldexp(1.0, -133));
  const std::vector<double> wide{0.1, -3.0, 1e-30};
  cpu::decode(kernels, DType::kFloat64, view(wide, 1, 3, DType::kFloat64).data, out, 3);
  CHECK(out[0] == 0.1f && out[1] == -3.0f && out[2] == 1e-30f);
}

TEST(the_first_bad_row_is_named) {
  const std::vector<float> values{1, 2, 0, 0, NAN, 1, INFINITY, 1, 1e20f, 1};
  const auto rows = view(values, 5, 2, DType::kFloat32);
  const std::vector<double> squared{5.0, 0.0, NAN, INFINITY, 1e40};
  const auto from = [&](Index begin, Metric metric, ZeroRows zero) {
    RowView rest = rows;
    rest.data = rows.row(begin);
    rest.n -= begin;
    return check_rows(rest, std::span(squared).subspan(static_cast<std::size_t>(begin)), metric, zero);
  };
  CHECK_THROWS(from(0, Metric::kCosine, ZeroRows::kError), std::invalid_argument, "row 1 is all zeros");
  CHECK_THROWS(from(0, Metric::kCosine, ZeroRows::kIgnore), std::invalid_argument,
               "row 2 has nan in column 0");
  CHECK_THROWS(from(0, Metric::kDot, ZeroRows::kError), std::invalid_argument, "row 2 has nan");
  CHECK_THROWS(from(3, Metric::kDot, ZeroRows::kError), std::invalid_argument, "row 0 has inf");
  CHECK_THROWS(from(4, Metric::kDot, ZeroRows::kError), std::invalid_argument, "the norm 1e+20");
}

TEST(rows_that_vanish_in_float32_are_refused_under_dot) {
  const std::vector<double> values{1, 0, 0, 0, 3e-60, 4e-60};
  const auto rows = view(values, 3, 2, DType::kFloat64);
  const std::vector<double> squared{1.0, 0.0, 0.0};
  CHECK_THROWS(check_rows(rows, squared, Metric::kDot, ZeroRows::kError), std::invalid_argument,
               "row 2 has the norm 5e-60");
  CHECK(similarity_range(Metric::kDot, 0.0) == 1e-24);
  CHECK(similarity_range(Metric::kDot, 1.1e-24) == 1.1e-24);
  CHECK(similarity_range(Metric::kCosine, 1e-30) == 1.0);
  CHECK_THROWS(similarity_range(Metric::kDot, 1e-30), std::invalid_argument,
               "the longest row has the norm 1e-15");
}

TEST(a_floor_that_no_similarity_reaches_is_told_in_few_digits) {
  CHECK_THROWS(fixed_floor(-2e300, 1e30, 1.0), std::invalid_argument,
               "floor: got -2e+300, wanted a similarity between -1e+30 and 1e+30, or None.");
  CHECK_THROWS(fixed_floor(1.5, 1.0, 1.0), std::invalid_argument,
               "floor: got 1.5, wanted a similarity between -1 and 1, or None.");
}

TEST(the_scale_leaves_no_room_for_overflow) {
  for (const double range : {1e-24, 0.3, 1.0, 1.5, 2.0, 3.0, 64000.0, 1e24}) {
    for (const int bits : {26, 36}) {
      const int e = scale_exponent(range, bits);
      CHECK(e % 2 == 0);
      CHECK(std::ldexp(range, e) <= std::ldexp(1.0, bits));
      CHECK(std::ldexp(range, e) > std::ldexp(1.0, bits - 2));
    }
  }
  CHECK(fixed_floor(-0.5, 1.0, 8.0) == -4);
  CHECK_THROWS(fixed_floor(1.5, 1.0, 8.0), std::invalid_argument, "floor: got 1.5");
  CHECK_THROWS(fixed_floor(NAN, 1.0, 8.0), std::invalid_argument, "floor: got nan");
}

int main() { return check::run(); }
