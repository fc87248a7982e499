"""What a reading is to the judge of exports, and what differs between two of its formats."""

import collections
import datetime
import decimal
from fractions import Fraction

# Bits of a measurement status.
INVALID, QUESTIONABLE, NOT_CLINICAL, VALIDATED = 1, 1 << 1, 1 << 4 | 1 << 5, 1 << 8
WAITING = 1 << 2 | 1 << 10
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MDC = "urn:iso:std:iso:11073:10101"
wrong = []

# What a row of CSV says of a number; what Parquet says beyond; what FHIR and HL7 say of one.
Number = collections.namedtuple("Number", "code name unit mode at digits validity")
Beyond = collections.namedtuple("Beyond", "status absent patient dated frame")
Observed = collections.namedtuple("Observed", "code name unit at digits reason patient test frame")
Sent = collections.namedtuple("Sent", "code unit at digits result flags patient test")
# What all runs of a wave have in common, as the head of its CSV has it.
Series = collections.namedtuple("Series", "code name unit mode gain baseline rate bits")
Signal = collections.namedtuple("Signal", "code name unit")


def check(is_right, words):
    """Notes what is wrong."""
    if not is_right:
        wrong.append(words)
    return is_right


def differ(of, wanted, said):
    """Notes each reading that is missing, or there too often."""
    for reading, count in (wanted - said).items():
        check(False, f"{of}: {count} times missing: {reading}")
    for reading, count in (said - wanted).items():
        check(False, f"{of}: {count} times too often: {reading}")


def digits(mantissa, exponent):
    """A decimal as the device wrote it; nothing if there is none."""
    return "" if mantissa is None else f"{decimal.Decimal(mantissa).scaleb(exponent):f}"


def ratio(value):
    """A number of JSON, exactly; a text is none."""
    if not isinstance(value, decimal.Decimal):
        raise ValueError(f"{value!r} is no number")
    return Fraction(value)


def seconds(moment):
    """Whole seconds of Unix time."""
    return (moment - EPOCH) // datetime.timedelta(seconds=1)


def sample_time(run, place):
    """When a sample of a run was taken, to a nanosecond."""
    return run["time"] + place * 10**9 * run["rate_denominator"] // run["rate_numerator"]


def is_test(mode, status):
    """Whether a reading must not look like a patient's."""
    return mode != "normal" or status & NOT_CLINICAL != 0
