/** How long the write-ahead log becomes: while it grows, each sync has to write down its length, too. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MachineLimits from "@weft/domain/core/Limits"
import * as Version from "@weft/domain/core/Version"
import { Database } from "../src/internal/file/Database.ts"
import { FileStore } from "../src/internal/file/FileStore.ts"
import { client, memoryDirectory, value } from "./support.ts"

const pageBytes = 4096
const walPages = 100

describe("the write-ahead log", () => {
  for (const bytes of [10, 1000, 20_000]) {
    it.live(`is brought into the file by the pages of all processes together: values of ${bytes} bytes`, () =>
      Effect.scoped(
        Effect.map(memoryDirectory, (directory) => {
          const file = path.join(directory, "desk.weft")
          const { request } = client(undefined as never)
          const stores = Array.from({ length: 4 }, () => {
            const database = new Database({ path: file, journal: "wal", pageBytes, walPages, version: Version.none })
            return new FileStore(database, {
              limits: MachineLimits.make({}),
              cacheBytes: 1e6,
              logBytesMax: 1e8,
              foldCells: 1e6
            })
          })
          for (let i = 0; i < 600; i++) {
            const store = stores[i % stores.length]!
            store.commit([[request([{ _tag: "Set", key: "a", value: value("x".repeat(bytes)) }])]])
            if (store.database.isCheckpointDue) store.database.checkpoint()
          }
          const pages = fs.statSync(`${file}-wal`).size / pageBytes
          for (const store of stores) store.close()
          assert.isAbove(pages, walPages / 2)
          assert.isBelow(pages, walPages * 2)
        })
      )
    )
  }
})
