"""What the measured points around a pixel say of the map's error there.

For a pixel with neighbours i = 1..10 at squared distances d_i, w_i = 1/d_i:

* r, the inverse-distance estimate, and S, the neighbours' weighted variance about it;
* e_i, the leave-one-out residual of neighbour i: its value less its own ten neighbours' estimate;
* L, the weighted mean of e_i^2 over the nearest six, and E0 = (L + S)/2 + floor,
  the error expected at first sight;
* 24 features, most of them logarithms of ratios to E0, which neither scale nor offset of the values
  nor a flip or a turn of the image changes.

A network corrects E0 by a factor; by a second one it makes d E0 the gain, the squared error that
measuring the pixel takes off the map, its surroundings included.

Blocks of pixels, so that the loops run along them in vector registers: 0.4 us a pixel, network
included, where numpy takes 0.9.  All in one file, as what numba has compiled and kept on disk does
not notice when a function of another file changes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .neighbour_tables import CLOSE, NEIGHBOURS, NOBODY

FEATURES = 24
ANSWERS = 2  # corrections of the error, and of the gain
FLOOR = 1e-6  # of E0, in squares of the values' spread: what is flat ranks by distance alone
CLIP = 12.0  # of the features, octaves
LOWEST, HIGHEST = -6.0, 6.0  # of a correction, octaves
UNAVAILABLE = np.float32(-np.inf)  # score of what has been measured
LANES = 64  # pixels of a block
ZERO = np.float32(0)

# Sums may be fused, but not reordered: they shall not depend on what else is computed.
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})
_inlined = njit(inline="always", error_model="numpy", fastmath={"contract"})


@_compiled
def octaves(x):
    """Base-2 logarithm of a positive number to 2e-4, the same on every machine.

    P. Mineiro's fastlog2: exponent, plus a rational function of the mantissa.
    """
    bits = np.float32(x).view(np.int32)
    mantissa = np.int32((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    return (
        np.float32(bits) * np.float32(1.1920928955078125e-7)
        - np.float32(124.22551499)
        - np.float32(1.498030302) * mantissa
        - np.float32(1.72587999) / (np.float32(0.3520887068) + mantissa)
    )


@_compiled
def coarse(x):
    """Keep two bits of the mantissa, rounded: a residual that changes less changes nothing else."""
    bits = np.float32(x).view(np.int32)
    return np.int32((bits + 0x00100000) & ~0x001FFFFF).view(np.float32)


@_compiled
def residuals_of(pixels, neighbours, image, residuals):
    """Bring the residuals of (P, 2) measured pixels up to date; tell which changed.

    A value less what its neighbours make of it, coarse; 0 without any.
    """
    changed = np.zeros(pixels.shape[0], np.bool_)
    for p in range(pixels.shape[0]):
        row, column = pixels[p, 0], pixels[p, 1]
        total = weighted = 0.0
        for k in range(NEIGHBOURS):
            entry = neighbours[row, column, k]
            if entry == NOBODY:
                break
            r, c = entry >> 16, entry & 0xFFFF
            w = 1.0 / ((r - row) * (r - row) + (c - column) * (c - column))
            total += w
            weighted += w * (image[row, column] - image[r, c])
        now = coarse(weighted / total) if total > 0 else ZERO
        changed[p] = now != residuals[row, column]
        residuals[row, column] = now
    return changed


@_inlined
def _look(row, column, neighbours, image, residuals, w, v, e, dy, dx):
    """Weights, values relative to the nearest's, residuals and places of the neighbours.

    Neighbours that are not there weigh nothing.  Returns their number and the nearest's value.
    """
    nearest = neighbours[row, column, 0]
    first = image[nearest >> 16, nearest & 0xFFFF]
    n = 0
    for k in range(NEIGHBOURS):
        entry = neighbours[row, column, k]
        w[k] = v[k] = e[k] = dy[k] = dx[k] = 0.0
        if entry == NOBODY:
            continue
        n += 1
        r, c = entry >> 16, entry & 0xFFFF
        dy[k], dx[k] = r - row, c - column
        w[k] = 1.0 / (dy[k] * dy[k] + dx[k] * dx[k])
        v[k] = image[r, c] - first  # so that an offset of the values leaves no trace
        e[k] = residuals[r, c]
    return n, first


@_inlined
def _describe(b, row, column, shape, n, w, v, e, dy, dx, basics, x):
    """Column b of the features, from what `_look` found; and the basics, see `_describe_block`."""
    total = mean = my = mx = 0.0
    for k in range(NEIGHBOURS):
        total += w[k]
        mean += w[k] * v[k]
        my += w[k] * dy[k]
        mx += w[k] * dx[k]
    mean, my, mx = mean / total, my / total, mx / total
    loo = loo2 = plain = largest = near_total = 0.0
    for k in range(CLOSE):
        square = e[k] * e[k]
        near_total += w[k]
        loo += w[k] * e[k]
        loo2 += w[k] * square
        plain += square
        largest = max(largest, square)
    loo, loo2 = loo / near_total, loo2 / near_total
    spread = plain_spread = yy = yx = xx = yv = xv = 0.0
    for k in range(NEIGHBOURS):
        dv, y, z = v[k] - mean, dy[k] - my, dx[k] - mx
        spread += w[k] * dv * dv
        plain_spread += dv * dv if k < n else 0.0
        yy += w[k] * y * y
        yx += w[k] * y * z
        xx += w[k] * z * z
        yv += w[k] * y * dv
        xv += w[k] * z * dv
    spread /= total
    energy = 0.5 * (loo2 + spread) + FLOOR
    basics[0, b], basics[1, b], basics[2, b], basics[3, b] = mean, energy, spread, 1.0 / w[0]
    if x.shape[0] > 0:
        nearest_loo = close_spread = 0.0
        for k in range(3):
            nearest_loo += w[k] * e[k] * e[k]
        for k in range(4):
            close_spread += w[k] * (v[k] - mean) * (v[k] - mean)
        slope_y = slope_x = 0.0
        determinant = yy * xx - yx * yx
        if determinant > 1e-6 * yy * xx:
            slope_y = (xx * yv - yx * xv) / determinant
            slope_x = (yy * xv - yx * yv) / determinant
        offset = slope_y * my + slope_x * mx
        rows, columns = shape
        border = min(min(row, rows - 1 - row), min(column, columns - 1 - column)) + 1.0
        second, third = min(1, n - 1), min(2, n - 1)
        x[0, b] = 1.0 / w[0]
        x[1, b] = w[0] / w[third]
        x[2, b] = w[0] / w[n - 1]
        x[3, b] = energy
        x[4, b] = loo2
        x[5, b] = spread
        x[6, b] = plain / min(n, CLOSE)
        x[7, b] = close_spread / (w[0] + w[1] + w[2] + w[3])
        x[8, b] = nearest_loo / (w[0] + w[1] + w[2])
        x[9, b] = e[0] * e[0]
        x[10, b] = e[second] * e[second]
        x[11, b] = largest
        x[12, b] = mean * mean
        x[13, b] = (slope_y * slope_y + slope_x * slope_x) / w[0]
        x[14, b] = max(spread - (slope_y * yv + slope_x * xv) / total, 0.0)
        x[15, b] = offset * offset
        x[16, b] = loo * loo
        x[17, b] = plain_spread / n
        x[18, b] = v[second] * v[second]
        x[19, b] = v[third] * v[third]
        x[20, b] = border * border * w[0]
        x[21, b] = (my * my + mx * mx) * w[0]
        x[22, b] = (dy[0] * dy[second] + dx[0] * dx[second]) * math.sqrt(w[0] * w[second])
        x[23, b] = e[0] * mean / energy


@_compiled
def _logarithms(basics, x):
    """Turn errors into octaves relative to E0, lengths into octaves, and clip."""
    floor = np.float32(0.01 * FLOOR)
    for k in range(FEATURES):
        for b in range(LANES):
            value = x[k, b]
            if 4 <= k < 20:
                value = octaves((value + floor) / np.float32(basics[1, b]))
            elif k < 21:
                value = octaves(value)
            x[k, b] = min(max(value, np.float32(-CLIP)), np.float32(CLIP))


@_compiled
def _perceive(x, layers, h1, h2, out):
    """Two hidden layers of ReLUs on a block of pixels, and both corrections."""
    w1, b1, w2, b2, w3, b3 = layers
    _dense(x, w1, b1, h1)
    _dense(h1, w2, b2, h2)
    for o in range(ANSWERS):
        for b in range(LANES):
            out[o, b] = b3[o]
        for k in range(h2.shape[0]):
            for b in range(LANES):
                out[o, b] += h2[k, b] * w3[k, o]
        for b in range(LANES):
            out[o, b] = min(max(out[o, b], np.float32(LOWEST)), np.float32(HIGHEST))


@_compiled
def _dense(x, weights, bias, out):
    """One layer, four inputs and two outputs at a time to spare memory traffic."""
    for k in range(0, bias.size, 2):
        for b in range(LANES):
            out[k, b], out[k + 1, b] = bias[k], bias[k + 1]
        for i in range(0, weights.shape[0], 4):
            p, q, r, s = weights[i, k], weights[i + 1, k], weights[i + 2, k], weights[i + 3, k]
            t, u = weights[i, k + 1], weights[i + 1, k + 1]
            v, w = weights[i + 2, k + 1], weights[i + 3, k + 1]
            for b in range(LANES):
                one, two, three, four = x[i, b], x[i + 1, b], x[i + 2, b], x[i + 3, b]
                out[k, b] += p * one + q * two + r * three + s * four
                out[k + 1, b] += t * one + u * two + v * three + w * four
        for b in range(LANES):
            out[k, b], out[k + 1, b] = max(out[k, b], ZERO), max(out[k + 1, b], ZERO)


@_compiled
def score_pixels(pixels, neighbours, image, residuals, layers, how, near, error, score):
    """Estimate, expected squared error and score of (U, 2) unmeasured pixels, into their maps.

    ``how`` holds the exponent a of the distance, the exponent g of the normaliser and its floor,
    the weight h of the gain's correction against the error's, and the trust t in both:
    score = log2(d^a / (S + floor)^g) + t (log2 E0 + (1 - h) m1 + h m2).  ``near`` takes squared
    distances.
    """
    power, gamma, floor, gain_share, trust = how
    learned = layers[0].size > 0
    w, v, e = np.empty(NEIGHBOURS), np.empty(NEIGHBOURS), np.empty(NEIGHBOURS)
    dy, dx = np.empty(NEIGHBOURS), np.empty(NEIGHBOURS)
    basics = np.ones((4, LANES))
    x = np.ones((FEATURES if learned else 0, LANES), np.float32)
    h1 = np.empty((layers[1].size, LANES), np.float32)
    h2 = np.empty((layers[3].size, LANES), np.float32)
    correction = np.zeros((ANSWERS, LANES), np.float32)
    for begin in range(0, pixels.shape[0], LANES):
        lanes = min(LANES, pixels.shape[0] - begin)
        for b in range(lanes):
            row, column = pixels[begin + b, 0], pixels[begin + b, 1]
            n, first = _look(row, column, neighbours, image, residuals, w, v, e, dy, dx)
            _describe(b, row, column, image.shape, n, w, v, e, dy, dx, basics, x)
            image[row, column] = first + basics[0, b]
        if learned:
            _logarithms(basics, x)
            _perceive(x, layers, h1, h2, correction)
        for b in range(lanes):
            row, column = pixels[begin + b, 0], pixels[begin + b, 1]
            near[row, column] = np.int32(basics[3, b] + 0.5)
            error[row, column] = basics[1, b] * 2.0 ** correction[0, b]
            value = (1.0 - gain_share) * correction[0, b] + gain_share * correction[1, b]
            value = trust * (octaves(basics[1, b]) + value) + 0.5 * power * octaves(basics[3, b])
            if gamma > 0:
                value -= gamma * octaves(basics[2, b] + floor)
            score[row, column] = value


@_compiled
def describe_pixels(pixels, neighbours, image, residuals):
    """(U, 24) features and (U,) E0 of unmeasured pixels, as `score_pixels` has them."""
    features = np.empty((pixels.shape[0], FEATURES), np.float32)
    energies = np.empty(pixels.shape[0])
    w, v, e = np.empty(NEIGHBOURS), np.empty(NEIGHBOURS), np.empty(NEIGHBOURS)
    dy, dx = np.empty(NEIGHBOURS), np.empty(NEIGHBOURS)
    basics = np.ones((4, LANES))
    x = np.ones((FEATURES, LANES), np.float32)
    for begin in range(0, pixels.shape[0], LANES):
        lanes = min(LANES, pixels.shape[0] - begin)
        for b in range(lanes):
            row, column = pixels[begin + b, 0], pixels[begin + b, 1]
            n, _ = _look(row, column, neighbours, image, residuals, w, v, e, dy, dx)
            _describe(b, row, column, image.shape, n, w, v, e, dy, dx, basics, x)
        _logarithms(basics, x)
        features[begin : begin + lanes] = x[:, :lanes].T
        energies[begin : begin + lanes] = basics[1, :lanes]
    return features, energies
