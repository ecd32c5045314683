// What is known of each row and each column of a box in a picture.
#pragma once

#include <vector>

#include "luma.hpp"

namespace tutela {

struct Line {
    float mean, variance;
    float unevenness;  // variance about a straight slope of brightness
    float step;        // mean difference of neighbours in the line
    float whiteness;   // mean square step over twice the variance: 1 for noise, a tenth or two for what a camera sees
    float jump;        // mean difference from the line before; 0 for the first
};

struct Profiles {
    std::vector<Line> rows, columns;
};

// Of a box that is not empty.
Profiles profiles(const Luma& luma, const Box& box);

}  // namespace tutela
