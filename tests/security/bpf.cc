#include "tests/security/bpf.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bulkhead::security {
namespace {

[[noreturn]] void Unknown(unsigned code) {
  fprintf(stderr, "instruction 0x%x of a filter is not known here\n", code);
  abort();
}

bool Jumps(const sock_filter& step, uint32_t accumulator) {
  switch (BPF_OP(step.code)) {
    case BPF_JEQ:
      return accumulator == step.k;
    case BPF_JGT:
      return accumulator > step.k;
    case BPF_JGE:
      return accumulator >= step.k;
    case BPF_JSET:
      return (accumulator & step.k) != 0;
  }
  Unknown(step.code);
}

}  // namespace

uint32_t Evaluate(const std::vector<sock_filter>& program, const seccomp_data& data) {
  uint32_t accumulator = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k + sizeof(accumulator) > sizeof(data)) Unknown(step.code);
        memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, sizeof(accumulator));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        if (BPF_CLASS(step.code) != BPF_JMP) Unknown(step.code);
        at += Jumps(step, accumulator) ? step.jt : step.jf;
    }
  }
  Unknown(0);
}

}  // namespace bulkhead::security
