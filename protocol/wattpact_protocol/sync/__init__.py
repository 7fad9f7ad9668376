"""Messages between meters and hosts: datagrams with entries, and proofs of enrolment."""
