// SPDX-License-Identifier: GPL-2.0-only
// All JSON of pobpf is written here, straight behind the text that an output has.
#pragma once

#include <rapidjson/prettywriter.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "util/escape.h"

namespace pobpf {

enum class JsonLayout { kLine, kIndented };

/// The output that RapidJSON writes to.
struct JsonStream {
  using Ch = char;
  void Put(char c) { out += c; }  // NOLINT(readability-identifier-naming)
  void Flush() {}                 // NOLINT(readability-identifier-naming)
  std::string& out;
};

/// As the shortest text that is the same double again, with a point or an exponent; null for what
/// is not finite.
void append_json_double(std::string& out, double value);

/// Writes one JSON text. Each string, a key as well, goes through append_json_string().
template <JsonLayout kLayout>
class BasicJsonWriter {
 public:
  explicit BasicJsonWriter(std::string& out) : stream_{out}, writer_(stream_) {
    if constexpr (kLayout == JsonLayout::kIndented) writer_.SetIndent(' ', 2);
  }

  /// `add` writes the members.
  template <typename Add>
  void object(Add&& add) {
    writer_.StartObject();
    add();
    writer_.EndObject();
  }
  /// `add` writes the elements.
  template <typename Add>
  void array(Add&& add) {
    writer_.StartArray();
    add();
    writer_.EndArray();
  }

  /// A text, a number, a bool, null, an optional one of them, or a list of them.
  template <typename T>
  void value(const T& value) {
    if constexpr (std::is_null_pointer_v<T>)
      writer_.Null();
    else if constexpr (std::is_same_v<T, bool>)
      writer_.Bool(value);
    else if constexpr (std::is_floating_point_v<T>)
      number(value);
    else if constexpr (std::is_signed_v<T>)
      writer_.Int64(value);
    else if constexpr (std::is_unsigned_v<T>)
      writer_.Uint64(value);
    else if constexpr (std::is_convertible_v<const T&, std::string_view>)
      string(value);
    else
      array([&] {
        for (const auto& element : value) this->value(element);
      });
  }
  template <typename T>
  void value(const std::optional<T>& value) {
    if (value)
      this->value(*value);
    else
      writer_.Null();
  }

  /// Begins a member, whose value has to follow.
  void key(std::string_view name) { string(name); }
  template <typename T>
  void member(std::string_view name, const T& value) {
    key(name);
    this->value(value);
  }
  template <typename Add>
  void object(std::string_view name, Add&& add) {
    key(name);
    object(add);
  }
  template <typename Add>
  void array(std::string_view name, Add&& add) {
    key(name);
    array(add);
  }

 private:
  /// Not by RapidJSON, whose escapes and exponents look otherwise than those that programs have
  /// read since the first version.
  void string(std::string_view text) {
    scratch_.clear();
    append_json_string(scratch_, text);
    writer_.RawValue(scratch_.data(), scratch_.size(), rapidjson::kStringType);
  }
  void number(double value) {
    scratch_.clear();
    append_json_double(scratch_, value);
    writer_.RawValue(scratch_.data(), scratch_.size(), rapidjson::kNumberType);
  }

  JsonStream stream_;
  std::conditional_t<kLayout == JsonLayout::kLine, rapidjson::Writer<JsonStream>,
                     rapidjson::PrettyWriter<JsonStream>>
      writer_;
  std::string scratch_;
};

using JsonWriter = BasicJsonWriter<JsonLayout::kLine>;
using IndentedJsonWriter = BasicJsonWriter<JsonLayout::kIndented>;

/// Appends an object and a newline; `add` gets the writer and writes the members.
template <JsonLayout kLayout = JsonLayout::kLine, typename Add>
void append_json(std::string& out, Add&& add) {
  BasicJsonWriter<kLayout> json(out);
  json.object([&] { add(json); });
  out += '\n';
}

}  // namespace pobpf
