#pragma once

#include "absl/status/statusor.h"
#include "base/deadline.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/place.h"
#include "worker/container/run.h"

namespace bulkhead::container {

// A container's standard streams: the ends it gets, and those that the monitor keeps.
class Stdio {
 public:
  struct Wanted {
    bool terminal = false;  // then the others do not count
    bool in = false;        // what is not wanted is /dev/null
    bool out = false;
    bool err = false;
  };
  Stdio() = default;
  static absl::StatusOr<Stdio> Make(Wanted wanted);

  // What the container gets.
  Streams ChildEnds() const { return {child_in_.get(), child_out_.get(), child_err_.get()}; }
  // Of the socket that the runtime sends the terminal to; empty without a terminal.
  std::string ConsolePath() const;
  // After create: closes the container's ends here, and takes the terminal that the runtime sent.
  absl::Status Finish();

  // Finished ends. With a terminal, out is its master and in a second fd of it.
  base::UniqueFd in, out, err;

 private:
  absl::Status MakeConsole();
  base::UniqueFd child_in_, child_out_, child_err_;
  base::UniqueFd console_, directory_;  // listening socket, and a tmpfs that holds its name
};

}  // namespace bulkhead::container
