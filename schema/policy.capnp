@0xb1a5c0de0000000e;
# The most that this node grants, whoever asks: /etc/bulkhead/policy.toml as every process gets it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct ImagePolicy {
  # Where images may come from ([images]): the first rule whose match fits decides, else default.
  default @0 :Action;
  rules @1 :List(Rule);
  hash @2 :Data;
  # SHA-256 of all of the above, keys included. A stored verdict on a signature counts under this policy alone.

  struct Rule {
    match @0 :Text;            # a glob over registry/repository (security/policy/glob.h)
    action @1 :Action;
    keys @2 :List(Text);       # signed: public keys in PEM; a signature by any of them will do
    identities @3 :List(Text);
    # signed: globs over the registry/repository that the signature must speak of; empty: the image's own.
  }
  enum Action { allow @0; deny @1; signed @2; }
}
