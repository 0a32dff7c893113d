"""Convert the colours of wide-gamut pictures to the primaries of BT.709.

The numbers of a pixel say how much of each primary it has. Saturated colours of BT.2020 or Display
P3 look pale with the primaries of BT.709. The conversion is a matrix in linear light. It uses only
filters that every ffmpeg has, and works for RGB and YUV alike. The transfer function stays, so that
greys keep their numbers. Colours that BT.709 lacks become the nearest ones channel by channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ftrack_like._media.facts import Picture

__all__ = ["in_bt709", "matrix_to_bt709"]

_Point = tuple[float, float]
_Matrix = tuple[tuple[float, float, float], ...]

_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)

#: Bradford's matrix from XYZ to the cones of the eye, for other white points.
_CONES: _Matrix = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
_BT709: tuple[_Point, ...] = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)

#: Red, green, blue and white as x and y, by their numbers in ISO/IEC 23091-2. Others are not
#: converted: BT.709 itself (1), and XYZ (10), which is for cinemas only.
_PRIMARIES: dict[int, tuple[_Point, ...]] = {
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), _C),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}

#: The exponents of transfer functions that are a power, and the number of that of sRGB.
_POWERS = {4: 2.2, 5: 2.8, 17: 2.6}
_LINEAR, _SRGB = 8, 13


def in_bt709(picture: Picture) -> list[str]:
    """Return the filters that convert RGB with 16 bits from the primaries of *picture*.

    There are none if its primaries are those of BT.709, or unknown.
    """
    if picture.primaries not in _PRIMARIES:
        return []
    matrix = matrix_to_bt709(picture.primaries)
    weights = (
        f"{to}{of}={weight:.6f}" for to, row in zip("rgb", matrix) for of, weight in zip("rgb", row)
    )
    mixed = f"colorchannelmixer={':'.join(weights)}"
    curves = _curves(picture.transfer)
    if curves is None:
        return [mixed]
    to_linear, from_linear = (
        "lutrgb=" + ":".join(f"{name}='65535*({one})+0.5'" for name in "rgb") for one in curves
    )
    return [to_linear, mixed, from_linear]


def matrix_to_bt709(number: int) -> _Matrix:
    """Return the matrix from linear RGB with the primaries *number* to that of BT.709.

    White stays white, also where it is another point: it is not shown as a tint.
    """
    primaries = _PRIMARIES[number]
    cones = [_times(_CONES, _xyz(points[3])) for points in (primaries, _BT709)]
    scaled = _diagonal([after / before for before, after in zip(*cones)])
    adapted = _product(_product(_inverse(_CONES), scaled), _product(_CONES, _to_xyz(primaries)))
    return _product(_inverse(_to_xyz(_BT709)), adapted)


def _curves(transfer: int) -> Optional[tuple[str, str]]:
    """Return the expressions from and to the values of *transfer*; None if these are linear."""
    if transfer == _LINEAR:
        return None
    value = "(val/65535)"
    if transfer in _POWERS:
        power = _POWERS[transfer]
        return f"pow({value},{power})", f"pow({value},1/{power})"
    if transfer == _SRGB:
        return (
            f"if(lte({value},0.04045),{value}/12.92,pow(({value}+0.055)/1.055,2.4))",
            f"if(lte({value},0.0031308),{value}*12.92,1.055*pow({value},1/2.4)-0.055)",
        )
    return (
        f"if(lte({value},0.081),{value}/4.5,pow(({value}+0.099)/1.099,1/0.45))",
        f"if(lte({value},0.018),{value}*4.5,1.099*pow({value},0.45)-0.099)",
    )


def _xyz(point: _Point) -> list[float]:
    x, y = point
    return [x / y, 1.0, (1 - x - y) / y]


def _to_xyz(primaries: Sequence[_Point]) -> _Matrix:
    """Return the matrix from RGB with *primaries* to XYZ, where white has a Y of 1."""
    columns = _transposed([_xyz(point) for point in primaries[:3]])
    return _product(columns, _diagonal(_times(_inverse(columns), _xyz(primaries[3]))))


def _diagonal(values: Sequence[float]) -> _Matrix:
    red, green, blue = values
    return ((red, 0.0, 0.0), (0.0, green, 0.0), (0.0, 0.0, blue))


def _transposed(rows: Sequence[Sequence[float]]) -> _Matrix:
    return tuple((one[0], one[1], one[2]) for one in zip(*rows))


def _times(matrix: _Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(one * other for one, other in zip(row, vector)) for row in matrix]


def _product(first: _Matrix, second: _Matrix) -> _Matrix:
    return _transposed([_times(first, column) for column in _transposed(second)])


def _inverse(matrix: _Matrix) -> _Matrix:
    first, second, third = matrix
    cofactors = [_cross(second, third), _cross(third, first), _cross(first, second)]
    determinant = sum(one * other for one, other in zip(first, cofactors[0]))
    return _transposed([[one / determinant for one in row] for row in cofactors])


def _cross(first: Sequence[float], second: Sequence[float]) -> list[float]:
    (a, b, c), (d, e, f) = first, second
    return [b * f - c * e, c * d - a * f, a * e - b * d]
