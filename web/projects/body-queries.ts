import { queryOptions } from '@tanstack/react-query'
import { BODIES_V1 } from '../../src/contract/bodies.v1.ts'
import { client } from '../session.ts'

/** Whether a project keeps bodies of calls, and for how long. */
export const bodySettingsQuery = (project: string) =>
  queryOptions({
    queryKey: ['bodySettings', project],
    queryFn: () => client.call(BODIES_V1.getBodySettings, { params: { project } }),
  })
