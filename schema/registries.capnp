@0xb1a5c0de0000000d;
# How registries are reached: root's own word, from config.toml, the hosts.toml trees and the environment.
#
# The admin command parses it and hands it, in a sealed memfd, to the spawner, which gives it to fetch workers
# and to nobody else: it holds the keys of client certificates, headers and proxies' passwords.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

annotation secret @0xb1a5c0de00000101 (field) :Void;
# The field must never reach a log, an error message, a file or the database.

struct Registries {
  registries @0 :List(Registry);
  proxy @1 :Proxy;
  privateRedirects @2 :Bool;
  # Whether a registry may send to private addresses (RFC 1918, unique local ones). It may never send to this
  # node's own or to link-local ones.
}

struct Registry {
  host @0 :Text;             # host[:port] as references name it; "*" for all others
  endpoints @1 :List(Endpoint);
  # Tried in order; at least one.
  tokenHosts @2 :List(Text);
  # host[:port] of token services besides the registry itself that may see this registry's credentials.
}

struct Endpoint {
  host @0 :Text;             # host[:port]; empty: the registry that the reference names
  plainHttp @1 :Bool;
  skipVerify @2 :Bool;
  path @3 :Text;             # what stands before the repository: "/v2" usually; absolute, no slash at the end
  resolve @4 :Bool;          # may be asked what a tag is
  pull @5 :Bool;             # may be asked for content by digest
  credentials @6 :Bool;
  # Gets the credentials of a pull although it is not the registry itself.
  ca @7 :Data $secret;
  # PEM, authorities besides the system's. Not secret, but as big as the keys and of no use elsewhere.
  clientCert @8 :Data $secret;
  clientKey @9 :Data $secret;
  # PEM; both or none.
  headers @10 :List(Common.Label) $secret;
}

struct Proxy {
  # As HTTP_PROXY, HTTPS_PROXY and NO_PROXY mean it. Empty: none.
  http @0 :Text $secret;    # URL; may hold a password
  https @1 :Text $secret;
  none @2 :Text;
}

struct RegistryAuth {
  # The credentials of one pull (CRI AuthConfig). They go from kubelet to a fetch worker, and nowhere else: not
  # to a file, a log or an error.
  username @0 :Text;
  password @1 :Text $secret;
  identityToken @2 :Text $secret;   # exchanged at the token service
  registryToken @3 :Text $secret;   # sent as it is
  server @4 :Text;           # host[:port] that they are for; empty: the registry of the reference
}

struct RegistryToken {
  # What a token service gave for one pull; good for minutes, and for one endpoint alone.
  host @0 :Text;             # of the endpoint; empty: none
  text @1 :Text $secret;
}
