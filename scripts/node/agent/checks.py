"""Arguments that callers give as JSON, checked."""


class AgentError(Exception):
    """What went wrong, what was given, and what to do; shown without a traceback."""


REQUIRED = object()


def check(arguments, **expected):
    """The values of `arguments` in the order of `expected`, which gives each key's (type, default)."""
    if not isinstance(arguments, dict):
        raise AgentError(f"the arguments must be one JSON object, not {type(arguments).__name__}")
    unknown = sorted(set(arguments) - set(expected))
    if unknown:
        raise AgentError(f"unknown arguments {unknown}; allowed are {sorted(expected)}")
    values = []
    for key, (kind, default) in expected.items():
        value = arguments.get(key, default)
        if value is REQUIRED:
            raise AgentError(f"the argument {key!r} is missing; needed are "
                             f"{[name for name, (_, other) in expected.items() if other is REQUIRED]}")
        if value is not default and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise AgentError(f"the argument {key!r} is a {type(value).__name__}; it must be a "
                             f"{getattr(kind, '__name__', 'number')}")
        values.append(value)
    return values


def check_strings(what, values):
    """Refuses values that execve cannot take; says which, never their content: it may be a secret."""
    for place, value in enumerate(values):
        if not isinstance(value, str) or "\0" in value:
            raise AgentError(f"{what}, item {place}, is not a string without NUL characters")
