"""A world as it is now, to come back to as often as a test likes."""


class Snapshot:
    """Everything that can be reached from an object, through lists, dicts, sets, tuples and attributes."""

    def __init__(self, root):
        found, stack = {}, [root]
        while stack:
            thing = stack.pop()
            if id(thing) in found or isinstance(thing, type):
                continue
            state = _state(thing)
            if state is None:
                continue
            found[id(thing)] = (thing, state)
            stack += list(state.values()) if isinstance(state, dict) else list(state)
        self._found = list(found.values())

    def restore(self):
        for thing, state in self._found:
            if isinstance(thing, list):
                thing[:] = state
            elif isinstance(thing, (dict, set)):
                thing.clear()
                thing.update(state)
            elif not isinstance(thing, tuple):
                for name in state:
                    setattr(thing, name, state[name])


def _state(thing):
    if isinstance(thing, tuple):
        return thing
    for kind in (list, dict, set):
        if isinstance(thing, kind):
            return kind(thing)
    return dict(thing.__dict__) if hasattr(thing, "__dict__") else None
