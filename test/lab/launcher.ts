/** Where a host of a lab has its Node. */
const NODE = '/opt/testbed/node'
/** From the program's real path, so that each installed version runs its own script. */
const SCRIPT = '/../../lib/ollama/ollama.cjs'

/**
 * x86-64 code: read /proc/self/exe to the stack, append SCRIPT, put NODE and that path in the place of argc and argv[0],
 * and execve(NODE, [NODE, path, arguments...], environment); exit 127 where that fails.
 */
const CODE = [
  '4989e4', // mov r12, rsp
  '498b0c24', // mov rcx, [r12]                 argc
  '4d8d6ccc10', // lea r13, [r12+rcx*8+16]      environment
  '4881ec00200000', // sub rsp, 8192
  'b859000000', // mov eax, 89                  readlink
  '488d3d4a000000', // lea rdi, [SELF]
  '4889e6', // mov rsi, rsp
  'baa00f0000', // mov edx, 4000
  '0f05', // syscall
  '4885c0', // test rax, rax
  '7e2f', // jle fail
  '488d3c04', // lea rdi, [rsp+rax]
  '488d3587000000', // lea rsi, [SCRIPT]
  'b940000000', // mov ecx, 64
  'f3a4', // rep movsb
  '488d3d39000000', // lea rdi, [NODE]
  '49893c24', // mov [r12], rdi
  '4989642408', // mov [r12+8], rsp
  '4c89e6', // mov rsi, r12
  '4c89ea', // mov rdx, r13
  'b83b000000', // mov eax, 59                  execve
  '0f05', // syscall
  'bf7f000000', // fail: mov edi, 127
  'b83c000000', // mov eax, 60                  exit
  '0f05', // syscall
].join('')
const AT = {self: 0x69, node: 0x80, script: 0xc0, end: 0x100}
const HEADERS = 64 + 56
const MACHINE = {amd64: 62, arm64: 183}

/**
 * A program of a few hundred bytes that starts this host's Node with the script beside it: a real ELF file, as checks of
 * `bin/ollama` want it, made without a compiler. Of `arm64` only the header is true, which is all that can be seen of a
 * program for another machine.
 */
export function launcher(arch: keyof typeof MACHINE): Buffer {
  const file = Buffer.alloc(HEADERS + AT.end)
  const base = 0x400000n
  file.write('7f454c46020101', 0, 'hex') // 64 bit, little endian, version 1
  file.writeUInt16LE(2, 16) // an executable
  file.writeUInt16LE(MACHINE[arch], 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(base + BigInt(HEADERS), 24) // entry
  file.writeBigUInt64LE(64n, 32) // program headers
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  // One segment: the whole file, read and execute.
  file.writeUInt32LE(1, 64)
  file.writeUInt32LE(5, 68)
  file.writeBigUInt64LE(base, 80)
  file.writeBigUInt64LE(base, 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x1000n, 112)
  file.write(CODE, HEADERS, 'hex')
  file.write('/proc/self/exe', HEADERS + AT.self)
  file.write(NODE, HEADERS + AT.node)
  file.write(SCRIPT, HEADERS + AT.script)
  return file
}
