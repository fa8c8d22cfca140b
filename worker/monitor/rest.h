#pragma once

namespace bulkhead::monitor {

// Gives back the memory that a quiet monitor does not need: free heap, and the pages of the
// program's code that its start or its last work needed. They come back from the page cache, which
// all monitors share, when they are needed again. There may be hundreds of monitors on a node, most
// of them quiet most of the time.
void GiveBackMemory();

}  // namespace bulkhead::monitor
