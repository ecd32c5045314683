"""The canary: a name that only the zone answers. Where a resolver does not resolve it, its policy is not applied.

Resolvers drop a policy silently: BIND when no primary answered for the zone's time of expiry, each of them when it is
started without its saved copy. Nothing in their answers says so, so they are asked.
"""

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.listeners import Address

TIMEOUT_S = 3.0


async def applies(resolver: Address, options: DnsOptions) -> bool:
    """Whether a resolver answers the canary as the zone says."""
    question = dns.message.make_query(options.canary, dns.rdatatype.A)
    try:
        answer = await dns.asyncquery.udp(question, resolver.host, timeout=TIMEOUT_S, port=resolver.port)
    except (dns.exception.DNSException, OSError):
        return False
    found = {str(rdata.address) for rrset in answer.answer for rdata in rrset if rrset.rdtype == dns.rdatatype.A}
    return str(options.canary_address) in found
