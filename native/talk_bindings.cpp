// The Python face of what messages say: texts in as a list, one number for each out.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "talk.hpp"
#include "utf8.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Weights = nb::ndarray<const int8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename Number>
nb::ndarray<nb::numpy, Number> array_of(std::vector<Number>&& values, std::initializer_list<size_t> shape) {
    auto* kept = new std::vector<Number>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Number>*>(p); });
    return nb::ndarray<nb::numpy, Number>(kept->data(), shape, owner);
}

std::vector<std::string_view> views_of(const nb::list& texts) {
    std::vector<std::string_view> views;
    views.reserve(texts.size());
    for (const auto& text : texts) {
        Py_ssize_t size = 0;
        const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
        if (data == nullptr) throw nb::python_error();
        views.emplace_back(data, size_t(size));
    }
    return views;
}

nb::tuple normal_form(const nb::str& text, const Folding& folding) {
    std::vector<uint32_t> letters, places;
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw nb::python_error();
    normalise({data, size_t(size)}, folding, letters, places);
    PyObject* made = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, letters.data(), Py_ssize_t(letters.size()));
    if (made == nullptr) throw nb::python_error();
    const size_t count = places.size();
    return nb::make_tuple(nb::steal<nb::str>(made), array_of(std::move(places), {count}));
}

class TalkHeads {
public:
    TalkHeads(const Weights& main, const Weights& other) : main_(main), other_(other), heads_({main.data(), main.size()}, {other.data(), other.size()}) {
        if (main.size() != size_t(1) << Heads::main_bits || other.size() != (size_t(1) << Heads::other_bits) * Heads::others)
            throw nb::value_error("the weights are not of the size that heads have");
    }

    // For each text the main head's sum over the square root of its n-grams, and the sums of the others where that is
    // at least `drift`.
    nb::tuple score(const nb::list& texts, const Folding& folding, float drift) const {
        const auto views = views_of(texts);
        std::vector<float> main(views.size());
        std::vector<float> other(views.size() * Heads::others, 0);
        {
            nb::gil_scoped_release unlocked;
            std::vector<uint32_t> letters, places;
            for (size_t i = 0; i < views.size(); ++i) {
                letters.clear(), places.clear();
                normalise(views[i], folding, letters, places);
                main[i] = heads_.main(letters);
                if (main[i] < drift) continue;
                const auto sums = heads_.other(letters);
                for (size_t j = 0; j < Heads::others; ++j) other[i * Heads::others + j] = float(sums[j]);
            }
        }
        const size_t count = views.size();
        return nb::make_tuple(array_of(std::move(main), {count}), array_of(std::move(other), {count, Heads::others}));
    }

private:
    Weights main_, other_;
    Heads heads_;
};

View view_of(bool by_words) { return by_words ? View::words : View::sound; }

// For each text what one head comes to.
nb::ndarray<nb::numpy, float> head_sums(const nb::list& texts, const Folding& folding, const Weights& head,
                                        bool by_words) {
    if (head.size() != size_t(1) << Heads::main_bits) throw nb::value_error("a head has 2^20 weights");
    const auto views = views_of(texts);
    std::vector<float> sums(views.size());
    {
        nb::gil_scoped_release unlocked;
        std::vector<uint32_t> letters, places;
        for (size_t i = 0; i < views.size(); ++i) {
            letters.clear(), places.clear();
            normalise(views[i], folding, letters, places);
            sums[i] = head_sum({head.data(), head.size()}, view_of(by_words), letters);
        }
    }
    const size_t count = views.size();
    return array_of(std::move(sums), {count});
}

using Places = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// For each text its words, those that are not in the set, its letters, and those that are not.
nb::ndarray<nb::numpy, uint32_t> familiarity(const nb::list& texts, const Folding& folding, const Places& known) {
    if (known.size() * 8 != size_t(1) << KnownWords::bits) throw nb::value_error("a set of words has 2^20 places");
    const auto views = views_of(texts);
    const KnownWords words({known.data(), known.size()});
    std::vector<uint32_t> found(views.size() * 4);
    {
        nb::gil_scoped_release unlocked;
        std::vector<uint32_t> letters, places;
        for (size_t i = 0; i < views.size(); ++i) {
            letters.clear(), places.clear();
            const size_t stored = normalise(views[i], folding, letters, places);
            Familiarity one = words.of(std::span(letters).first(stored));
            // A text that is there in two orders is read in the one whose words are known.
            const Familiarity other = words.of(std::span(letters).subspan(stored));
            if (other.words > 0 && other.strange_words < one.strange_words) one = other;
            const std::array<uint32_t, 4> row = {one.words, one.strange_words, one.letters, one.strange_letters};
            std::ranges::copy(row, found.begin() + ptrdiff_t(4 * i));
        }
    }
    const size_t count = views.size();
    return array_of(std::move(found), {count, 4});
}

// The set of these words, each in its normal form.
nb::ndarray<nb::numpy, uint8_t> known_words(const nb::list& words) {
    std::vector<uint8_t> places(size_t(1) << (KnownWords::bits - 3), 0);
    std::vector<uint32_t> letters;
    for (const std::string_view word : views_of(words)) {
        letters.clear();
        for (size_t at = 0; at < word.size();) letters.push_back(next_letter(word, at));
        const size_t place = KnownWords::place(letters);
        places[place / 8] |= uint8_t(1u << (place % 8));
    }
    const size_t count = places.size();
    return array_of(std::move(places), {count});
}

nb::ndarray<nb::numpy, float> train_head(const nb::list& texts, const Folding& folding, const Floats& targets,
                                         const Floats& weights, unsigned bits, bool by_words, int epochs, float rate,
                                         float decay, float constant) {
    const auto views = views_of(texts);
    if (targets.size() != views.size() || weights.size() != views.size())
        throw nb::value_error("there must be one target and one weight for each text");
    if (bits < 8 || bits > 24) throw nb::value_error("a head has from 2^8 to 2^24 places");
    std::vector<float> found;
    {
        nb::gil_scoped_release unlocked;
        std::vector<TrainingText> given(views.size());
        std::vector<uint32_t> letters, places;
        for (size_t i = 0; i < views.size(); ++i) {
            letters.clear(), places.clear();
            normalise(views[i], folding, letters, places);
            each_gram(view_of(by_words), letters, [&](uint64_t hash) { given[i].places.push_back(uint32_t(hash >> (64 - bits))); });
            given[i].target = targets.data()[i], given[i].weight = weights.data()[i];
        }
        found = train(given, bits, {epochs, rate, decay, constant});
    }
    const size_t count = found.size();
    return array_of(std::move(found), {count});
}

}  // namespace

void bind_talk(nb::module_& m) {
    m.def("normal_form", &normal_form, nb::arg("text"), nb::arg("folding"));
    m.def("familiarity", &familiarity, nb::arg("texts"), nb::arg("folding"), nb::arg("known"));
    m.def("known_words", &known_words, nb::arg("words"));
    m.def("train_head", &train_head, nb::arg("texts"), nb::arg("folding"), nb::arg("targets"), nb::arg("weights"),
          nb::arg("bits"), nb::arg("by_words"), nb::arg("epochs"), nb::arg("rate"), nb::arg("decay"), nb::arg("constant"));
    m.def("head_sums", &head_sums, nb::arg("texts"), nb::arg("folding"), nb::arg("head"), nb::arg("by_words"));
    nb::class_<TalkHeads>(m, "TalkHeads")
        .def(nb::init<const Weights&, const Weights&>(), nb::arg("main"), nb::arg("other"))
        .def("score", &TalkHeads::score, nb::arg("texts"), nb::arg("folding"), nb::arg("drift"));
}
