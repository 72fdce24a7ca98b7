// The same in C++17, with handles that free themselves and errors as exceptions:
//     c++ -std=c++17 albums.cpp $(pkg-config --cflags --libs nearfield) -o albums && ./albums ./data
#include <nearfield.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void check(nf_status status) {
    if (status != NF_OK) {
        throw std::runtime_error(std::string(nf_last_error_kind()) + ": " + nf_last_error_message());
    }
}

struct Free {
    void operator()(nf_database *handle) const { nf_database_free(handle); }
    void operator()(nf_collection *handle) const { nf_collection_free(handle); }
    void operator()(nf_results *handle) const { nf_results_free(handle); }
};

template <typename Handle> using Owned = std::unique_ptr<Handle, Free>;

Owned<nf_database> connect(const std::string &target) {
    nf_database *handle = nullptr;
    check(nf_connect(target.c_str(), nullptr, &handle));
    return Owned<nf_database>(handle);
}

Owned<nf_collection> make(nf_database *db, const char *name, std::size_t dimension) {
    nf_collection *handle = nullptr;
    check(nf_open_or_create_collection(db, name, dimension, nullptr, &handle));
    return Owned<nf_collection>(handle);
}

} // namespace

int main(int argc, char **argv) {
    try {
        const auto db = connect(argc > 1 ? argv[1] : ":memory:");
        const auto albums = make(db.get(), "albums", 3);
        const std::vector<std::uint64_t> ids = {1, 2, 3};
        const std::vector<float> vectors = {1, 0.1f, 0, 0, 1, 0, 0.9f, 0.2f, 0};
        check(nf_upsert_numbers(albums.get(), ids.data(), vectors.data(), ids.size(), 3, NF_SYNC));

        const std::vector<float> query = {1, 0, 0};
        std::vector<std::uint64_t> found(10);
        std::vector<float> scores(10);
        std::size_t count = 0;
        check(nf_search_into(albums.get(), query.data(), 1, 3, nullptr, found.data(), scores.data(),
                             &count));
        for (std::size_t i = 0; i < count; i++) {
            std::printf("%.3f  %llu\n", static_cast<double>(scores[i]),
                        static_cast<unsigned long long>(found[i]));
        }
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
