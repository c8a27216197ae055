"""Rules that only settings of a config have."""

import re

from incseg.utils.rules import Rule, is_number, whole

BELOW_1: Rule = (lambda value: is_number(value) and 0 <= value < 1, 'a number from 0 to below 1')
#: a rate below these limits changes no weight of float32, one above them leaves none as it was
RATE: Rule = (
    lambda value: is_number(value) and 1e-12 <= value <= 1000,
    'a number above 0, from 1e-12 to 1000',
)
SCALE: Rule = (
    lambda value: is_number(value) and 0 < value <= 100,
    'a number above 0, up to 100',
)
KEEP: Rule = (
    lambda value: value in ('all', 'last') or whole(1)[0](value),
    "'all', 'last' or a whole number of at least 1",
)
NAME: Rule = (
    lambda value: isinstance(value, str) and re.fullmatch(r'[\w.+-]*\w[\w.+-]*', value) is not None,
    'a name of letters, digits, _, ., + and -',
)
AMP: Rule = (lambda value: isinstance(value, bool) or value == 'auto', "True, False or 'auto'")
