"""Other bytes out of good ones: what a file, a sender or a disk may make of them."""

from random import Random

TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\\",
        b"\n",
        b"\0",
        b"=",
        b"#",
        b" ",
        b"null",
        b"true",
        b"NaN",
    ),
    *(
        b"-1",
        b"1.0",
        b"1e9",
        b"9" * 400,
        b"1e999999999",
        b"0.00001",
        b'""',
        b"{}",
        b"[]",
        b"[" * 3000,
        b'{"a":' * 3000,
    ),
    *(
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        "王小明".encode(),
        b"9999-12-31T23:59:59Z",
    ),
    *(
        b"0001-01-01T00:00:00+23:59",
        b"a" * 70_000,
        b"\x1f\x8b",
        b"\x28\xb5\x2f\xfd",
        b"\x7f\xff\xff\xff",
        b"${env:",
    ),
]


def mutated(random: Random, corpus: list[bytes]) -> bytes:
    """Return one of a corpus with some changes."""
    data = bytearray(random.choice(corpus))
    for _ in range(1 + int(random.expovariate(0.5))):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + int(random.expovariate(0.1)))
        what = random.randrange(7)
        if what == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << random.randrange(8)
        elif what == 1:
            data[at:end] = b""
        elif what == 2:
            data[at:at] = data[at:end] * random.randrange(1, 9)
        elif what == 3:
            data[at:end] = random.choice(TOKENS)
        elif what == 4:
            data[at:at] = random.choice(TOKENS)
        elif what == 5:
            other = random.choice(corpus)
            begin = random.randrange(len(other) + 1)
            data[at:end] = other[begin : begin + random.randrange(200)]
        else:
            data[at:end] = random.randbytes(end - at)
    return bytes(data)
