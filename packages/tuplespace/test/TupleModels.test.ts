/** Tuple spaces in small worlds, every state of them (`testing/TupleModels.ts`; large sizes: `npm run model`). */
import { check, render } from "@weft/domain/testing/ModelChecker"
import { assert, describe, it } from "vitest"
import * as TupleModels from "../testing/TupleModels.ts"

describe("TupleModels", () => {
  for (const { models, name } of TupleModels.short()) {
    it(
      name,
      () => {
        let states = 0
        for (const model of models) {
          const checked = check(model)
          states += checked.states
          if (checked.violation !== undefined) assert.fail(render(model.name, checked.violation))
          assert.isTrue(checked.complete, model.name)
          assert.isAbove(checked.ends, 0, model.name)
        }
        console.log(`${name}: ${models.length} models, ${states} states`)
      },
      120_000
    )
  }
})
