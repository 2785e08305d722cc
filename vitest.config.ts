import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "test/**/*.test.ts"],
    // Many files wait for disks and other processes; vitest would leave one core of two unused.
    maxWorkers: Math.max(2, availableParallelism()),
    // No test changes what is global (tested by test/house.test.ts), so files share a process and load each module once.
    isolate: false,
    // The many processes that tests start compile each module once.
    env: { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? join(tmpdir(), "weft-compile-cache") },
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
