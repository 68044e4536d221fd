"""Arrow's names of time zones as Python's."""

from __future__ import annotations

import datetime
import re
import zoneinfo

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")


def zone(name: str) -> datetime.tzinfo:
    """Return the zone of an Arrow timestamp: of the database's names or of an offset such as ``+01:00``.

    A name that this machine does not know becomes UTC, which is the same moment.
    """
    if name.upper() == "UTC":
        return datetime.UTC
    if found := _OFFSET.match(name):
        sign, hours, minutes = found.groups()
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
        return datetime.timezone(-offset if sign == "-" else offset)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return datetime.UTC
