"""The lists of domains in DNS: a primary of a response policy zone (RPZ), which resolvers transfer and apply.

Flow: banks marked for DNS → `listed` (their names) → `zone` (what each zone says) → `versions` → `wire` (records, TSIG)
→ `primary` (SOA, AXFR, IXFR, NOTIFY). `canary` asks each resolver whether the policy is applied, and how old.
Pages are not for DNS, only domains are.
"""

from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.dns.zone import Zone, stored_serials, zone_of

__all__ = ["DnsOptions", "Zone", "canary", "dialects", "listed", "primary", "stored_serials", "versions", "zone_of"]
