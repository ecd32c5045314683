// The Python face of segments: maps the file, checks arguments, releases the lock while searching and building.
#include <fcntl.h>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <tuple>

#include "segment.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Hashes = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A read-only mapping of a whole file.
class Mapping {
   public:
    explicit Mapping(const std::string& path) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) fail(path);
        struct stat status {};
        if (::fstat(descriptor, &status) != 0 || status.st_size == 0) {
            ::close(descriptor);
            throw CorruptSegment("the file is empty");
        }
        size_ = static_cast<size_t>(status.st_size);
        data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
        ::close(descriptor);
        if (data_ == MAP_FAILED) fail(path);
#ifdef MADV_HUGEPAGE
        // Huge pages spare a search, which reads at random, most misses of the address translation.
        ::madvise(data_, size_, MADV_HUGEPAGE);
#endif
        ::madvise(data_, size_, MADV_WILLNEED);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { ::munmap(data_, size_); }

    const uint8_t* data() const { return static_cast<const uint8_t*>(data_); }
    size_t size() const { return size_; }

   private:
    [[noreturn]] static void fail(const std::string& path) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    void* data_;
    size_t size_;
};

const uint8_t* query_of(const nb::bytes& query) {
    if (query.size() != hash_bytes) throw nb::value_error("a query is 32 bytes");
    return reinterpret_cast<const uint8_t*>(query.c_str());
}

void check_hashes(const Hashes& hashes) {
    if (hashes.shape(1) != hash_bytes) throw nb::value_error("hashes must have shape (count, 32)");
}

template <typename T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> as_array(std::vector<T>&& values) {
    auto* owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

class SegmentFile {
   public:
    explicit SegmentFile(const std::string& path) : mapping_(path), segment_(mapping_.data(), mapping_.size()) {}

    size_t count() const { return segment_.count(); }

    nb::list search(const nb::bytes& query, uint32_t radius) const {
        const uint8_t* bytes = query_of(query);
        std::vector<Hit> hits;
        {
            nb::gil_scoped_release unlocked;
            segment_.search(bytes, radius, hits);
        }
        nb::list out;
        for (const Hit& hit : hits) out.append(nb::make_tuple(hit.key, hit.distance));
        return out;
    }

    // (query numbers, keys, distances) of every hit of every query.
    nb::tuple search_many(const Hashes& queries, uint32_t radius) const {
        check_hashes(queries);
        std::vector<uint32_t> numbers, distances;
        std::vector<uint64_t> keys;
        {
            nb::gil_scoped_release unlocked;
            std::vector<Hit> hits;
            for (size_t i = 0; i < queries.shape(0); ++i) {
                hits.clear();
                segment_.search(queries.data() + hash_bytes * i, radius, hits);
                for (const Hit& hit : hits) {
                    numbers.push_back(static_cast<uint32_t>(i));
                    keys.push_back(hit.key);
                    distances.push_back(hit.distance);
                }
            }
        }
        return nb::make_tuple(as_array(std::move(numbers)), as_array(std::move(keys)), as_array(std::move(distances)));
    }

    // (hashes, keys) of the rows begin..end.
    nb::tuple rows(size_t begin, size_t end) const {
        end = std::min<size_t>(end, segment_.count());
        begin = std::min(begin, end);
        auto* hashes = new std::vector<uint8_t>((end - begin) * hash_bytes);
        nb::capsule owner(hashes, [](void* p) noexcept { delete static_cast<std::vector<uint8_t>*>(p); });
        std::vector<uint64_t> keys(end - begin);
        {
            nb::gil_scoped_release unlocked;
            for (size_t row = begin; row < end; ++row) {
                std::memcpy(hashes->data() + (row - begin) * hash_bytes, segment_.hash(row), hash_bytes);
                keys[row - begin] = segment_.key(row);
            }
        }
        return nb::make_tuple(
            nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>(hashes->data(), {end - begin, hash_bytes}, owner),
            as_array(std::move(keys)));
    }

    nb::object bytes() const {
        return nb::steal(PyMemoryView_FromMemory(const_cast<char*>(reinterpret_cast<const char*>(mapping_.data())),
                                                 static_cast<Py_ssize_t>(mapping_.size()), PyBUF_READ));
    }

   private:
    Mapping mapping_;
    Segment segment_;
};

void build(const std::string& path, const Hashes& hashes, const Keys& keys) {
    check_hashes(hashes);
    if (hashes.shape(0) != keys.shape(0)) throw nb::value_error("as many keys as hashes are needed");
    nb::gil_scoped_release unlocked;
    build_segment(path, hashes.data(), keys.data(), hashes.shape(0));
}

nb::tuple scan(const Hashes& hashes, const nb::bytes& query, uint32_t radius) {
    check_hashes(hashes);
    const uint8_t* bytes = query_of(query);
    if (hashes.shape(0) > UINT32_MAX) throw nb::value_error("at most 2^32 - 1 hashes are scanned at once");
    std::vector<RowHit> hits;
    {
        nb::gil_scoped_release unlocked;
        scan_rows(hashes.data(), hashes.shape(0), bytes, std::min(radius, max_radius), hits);
    }
    std::vector<uint32_t> rows, distances;
    for (const RowHit& hit : hits) rows.push_back(hit.row), distances.push_back(hit.distance);
    return nb::make_tuple(as_array(std::move(rows)), as_array(std::move(distances)));
}

}  // namespace

void bind_segment(nb::module_& m) {
    nb::exception<CorruptSegment>(m, "CorruptSegmentError");
    nb::register_exception_translator([](const std::exception_ptr& error, void*) {
        try {
            std::rethrow_exception(error);
        } catch (const std::system_error& failure) {
            errno = failure.code().value();
            PyErr_SetFromErrnoWithFilename(PyExc_OSError, failure.what());
        }
    });
    nb::class_<SegmentFile>(m, "Segment")
        .def(nb::init<const std::string&>(), nb::arg("path"), nb::call_guard<nb::gil_scoped_release>())
        .def("__len__", &SegmentFile::count)
        .def("search", &SegmentFile::search, nb::arg("query"), nb::arg("radius"))
        .def("search_many", &SegmentFile::search_many, nb::arg("queries"), nb::arg("radius"))
        .def("rows", &SegmentFile::rows, nb::arg("begin"), nb::arg("end"))
        .def("bytes", &SegmentFile::bytes, nb::keep_alive<0, 1>());
    m.def("build_segment", &build, nb::arg("path"), nb::arg("hashes"), nb::arg("keys"));
    m.def("scan", &scan, nb::arg("hashes"), nb::arg("query"), nb::arg("radius"));
}
