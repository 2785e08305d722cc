/** Tree locks in small worlds, every state of them (`testing/LockModels.ts`; large sizes: `npm run model`). */
import { assert, describe, it } from "vitest"
import * as LockModels from "../../testing/LockModels.ts"
import * as ModelChecker from "../../testing/ModelChecker.ts"

describe("LockModels", () => {
  for (const { models, name } of LockModels.short()) {
    it(
      name,
      () => {
        let states = 0
        for (const model of models) {
          const checked = ModelChecker.check(model)
          states += checked.states
          if (checked.violation !== undefined) assert.fail(ModelChecker.render(model.name, checked.violation))
          assert.isTrue(checked.complete, model.name)
          assert.isAbove(checked.ends, 0, model.name)
        }
        console.log(`${name}: ${models.length} models, ${states} states`)
      },
      120_000
    )
  }
})
