"""Keys of key periods, as an auditor is given them."""

from wattpact.bundle.disclosure import Disclosure, PeriodKey


def disclosed(community, places=None, name="all.keys"):
    """The keys of these (kid, generation, key_no), or of all key periods of a community."""
    wanted = sorted(community.keys) if places is None else places
    return Disclosure(community.id, [PeriodKey(*place, community.keys[place], 0, 1) for place in wanted], name)
