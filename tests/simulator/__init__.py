"""One simulator of a community for all tests.

Who publishes, on both Pythons:
    authors         keys, and authors with the place of their next entry, who seal once they opened a key
    bodies          the body of every kind, each field spelled out once, with defaults
    community       the community: certificates, and what its members publish; its entries go to a sink
    unsealing       what a reader can read of it
    generated, month, deal   communities as a seed has them, a month with everything in it, one contract (CPython)
    disclosed       keys of key periods, as an auditor is given them (CPython)

Sinks, where entries go (`community.sink`; without one they are kept in memory, `community.entries`):
    peer            a host in memory that answers meters under test over the link's protocol
    host            a host with a real store, ingest and projections (CPython)
    trading         a trade on such a host: three meters, two contracts (CPython)

Meters under test:
    household       the real meter on a board in virtual time, with a load behind its relay
    memory_flash    its flash in memory, and power that goes at any write
    network         a lossy network, and the world that joins households with their peer
    driving         what drives a meter's core in one go
    board, enrolled the application on a board of stand-ins, and enrolled with a peer
    flash           folders on files, and littlefs whose power is cut
    damage          damaged and hostile input, the same on both Pythons
    service         a board for service starts, and what a client of Improv sends
    guard_history   histories of the guard alone, with a checker of every decision

Processes and sockets (CPython):
    processes       a node and meters as processes: LiveCommunity
    meter_process, small_host   one meter as a process, and the peer on a socket or a pipe
    serial_client   a person at a meter's serial port
    wire            what joins meters and a node: loses, repeats, delays, and knows all that passed
    rules           what must hold of a store afterwards
    udp, http, live_events      a meter's socket, links to the page, its live events
"""
