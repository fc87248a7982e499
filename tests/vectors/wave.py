"""Second decoder of waveform blocks, written from wire/FORMAT.md; stands for the Rust one."""

REACH = 64
SHARE = 65536 - (2 * REACH + 4)
FAR = 1 << 28
EXP2 = [65536, 62757, 60097, 57549, 55109, 52772, 50535, 48393, 46341, 44376, 42495, 40693,
        38968, 37316, 35734, 34219]
RATE = [4096 // (age + 2) for age in range(96)]


def tail_table():
    logistic = laplace = wide = 1 << 32
    table = []
    for _ in range(257):
        bell = (logistic << 31) // ((1 << 32) + logistic)
        mix = (30 * bell + 8 * laplace + wide // 2) >> 5
        table.append((SHARE * mix) >> 32)
        logistic = (logistic * 3938502376) >> 32
        laplace = (laplace * 4034754899) >> 32
        wide = (wide * 4228379853) >> 32
    return table


TAIL = tail_table()


class WaveError(Exception):
    pass


def log16(value):
    value = max(value, 16)
    exponent = value.bit_length() - 1
    return exponent * 16 + ((value >> (exponent - 4)) & 15)


def clamp(value, low, high):
    return max(low, min(high, value))


class Reader:
    def __init__(self, data):
        self.data, self.taken, self.range = data, 4, 0xFFFFFFFF
        self.above = int.from_bytes((data + bytes(4))[:4], "big")

    def target(self):
        return min(self.above // (self.range >> 16), 65535)

    def take(self, start, size):
        unit = self.range >> 16
        self.above -= start * unit
        self.range = size * unit
        if self.above >= self.range:
            raise WaveError("range")
        while self.range < 1 << 24:
            byte = self.data[self.taken] if self.taken < len(self.data) else 0
            self.taken += 1
            self.above = self.above << 8 | byte
            self.range <<= 8
        if self.taken > len(self.data) + 4:
            raise WaveError("short")

    def plain(self, bits):
        value = 0
        while bits > 0:
            now = min(bits, 16)
            bits -= now
            part = self.target() >> (16 - now)
            self.take(part << (16 - now), 1 << (16 - now))
            value = value << now | part
        return value

    def wide(self):
        bits = self.plain(6)
        if bits > 36:
            raise WaveError("range")
        return (1 << bits | self.plain(bits)) - 1

    def finish(self):
        if self.taken < len(self.data):
            raise WaveError("long")
        free = self.taken - len(self.data)
        if not self.data or free > 3:
            raise WaveError("short")

        def decides(free, above):
            return above >= 0 and above + (1 << 8 * free) <= self.range

        if not decides(free, self.above):
            raise WaveError("short")
        if decides(free + 1, self.above - (self.data[-1] << 8 * free)):
            raise WaveError("long")


def leads(previous):
    """What the previous channel adds to the logarithm of the scale, per sample."""
    last = len(previous) - 1

    def bend(index):
        a, b, c = (previous[clamp(i, 0, last)] for i in (index - 1, index, index + 1))
        return min(abs(c - 2 * b + a), FAR)

    mean = sum(map(bend, range(last + 1))) * 16 // max(last + 1, 1)
    floor = (mean * 5 >> 4) + 8
    return [0] + [
        clamp(log16(4 * (bend(i - 1) + 2 * bend(i) + bend(i + 1)) + floor) - log16(mean + floor),
              -32, 48) >> 1
        for i in range(1, last + 1)
    ]


def read_sample(reader, expected, scale_log):
    scale_log = clamp(scale_log, 8 * 16, 47 * 16 + 15)
    exponent, centre = scale_log >> 4, (expected + 8) >> 4
    bits, inverse = max(exponent - 14, 0), (1 << 20) // (33 + 2 * (scale_log & 15))

    def start(symbol):
        edge = 16 * ((symbol << bits) + centre) - 8 - expected
        distance = min((abs(edge) * inverse) >> (exponent - 5), 65536)
        step = min(distance >> 8, 255)
        tail = TAIL[step] - ((TAIL[step] - TAIL[step + 1]) * (distance - (step << 8)) >> 8)
        return (tail if edge < 0 else SHARE - tail) + symbol + REACH + 1

    starts = [0] + [start(symbol) for symbol in range(-REACH, REACH + 2)] + [65536]
    target = reader.target()
    index = max(i for i in range(len(starts) - 1) if starts[i] <= target)
    reader.take(starts[index], starts[index + 1] - starts[index])
    symbol = index - REACH - 1
    if symbol < -REACH:
        error = (-REACH << bits) - 1 - reader.wide()
    elif symbol > REACH:
        error = reader.wide() + ((REACH + 1) << bits)
    else:
        error = (symbol << bits) + reader.plain(bits)
    sample = centre + error
    if not -1 << 31 <= sample < 1 << 31:
        raise WaveError("range")
    return sample


def unpack(data, count, lead):
    reader, samples = Reader(data), []
    if count:
        first = reader.wide()
        if first >> 32:
            raise WaveError("range")
        samples.append(first >> 1 ^ -(first & 1))
    energy, short, long = [64] * 7, 3 << 12, 3 << 12
    slopes, weights = [0] * 8, [0] * 8
    a = b = c = d = samples[0] if samples else 0
    for index in range(1, count):
        echo = sum(w * s for w, s in zip(weights, slopes)) >> 14
        guesses = [4 * a, 8 * a - 4 * b, 2 * a + b + c, 12 * (a - b) + 4 * c,
                   4 * a + 2 * (b - c), a + b + c + d,
                   4 * a + clamp(echo, -FAR, FAR)]
        logs = [log16(value + 16) for value in energy]
        behind = [((log - min(logs)) * 5) >> 2 for log in logs]
        shares = [EXP2[value & 15] >> 4 >> (value >> 4) for value in behind]
        weighted = sum(w * clamp(g - 4 * a, -FAR, FAR) for w, g in zip(shares, guesses))
        expected = 16 * a + (weighted * ((1 << 31) // sum(shares)) >> 29)
        expected = clamp(expected, -1 << 35, ((1 << 31) - 1) << 4)
        scale = (11 * short + 4 * long) >> 4
        sample = read_sample(reader, expected, log16(scale) + lead[index])
        samples.append(sample)
        energy = [e + ((clamp(4 * sample - g, -FAR, FAR) ** 2 - e) >> 2)
                  for e, g in zip(energy, guesses)]
        damp = (lead[index] * 3 >> 2) + 48
        size = (abs(16 * sample - expected) * EXP2[damp & 15] >> 8 + (damp >> 4)) << 3
        short += (size - short) * RATE[min(index - 1, 3)] >> 12
        long += (size - long) * RATE[min(index - 1, 95)] >> 12
        gain = (clamp(4 * sample - guesses[6], -1 << 20, 1 << 20) << 20) // (
            sum(s * s for s in slopes) + 64)
        weights = [clamp(w + (gain * s >> 9), -1 << 20, 1 << 20) for w, s in zip(weights, slopes)]
        slopes = [clamp(sample - a, -1 << 20, 1 << 20)] + slopes[:7]
        a, b, c, d = sample, a, b, c
    reader.finish()
    return samples


def decode_wave(data: bytes, count: int, previous_channel=None) -> list[int]:
    """The `count` samples in `data`; raises WaveError if the bytes are not exactly that."""
    if not data:
        raise WaveError("short")
    method, payload = data[0], data[1:]
    if method == 0:
        if len(payload) != 4 * count:
            raise WaveError("short" if len(payload) < 4 * count else "long")
        return [int.from_bytes(payload[i:i + 4], "little", signed=True)
                for i in range(0, len(payload), 4)]
    if method == 1:
        return unpack(payload, count, [0] * count)
    if method == 2:
        if previous_channel is None or len(previous_channel) != count:
            raise WaveError("no previous channel")
        return unpack(payload, count, leads(previous_channel))
    raise WaveError("unknown method")
