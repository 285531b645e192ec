import { useState } from 'react'
import { Link } from 'react-router'
import { spendPath } from '../paths.ts'
import type { BudgetJson } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { SpendBar } from '../ui/spend-bar.tsx'
import { Table } from '../ui/table.tsx'
import { AcknowledgeDialog, BudgetDialog, DeleteBudgetDialog } from './budget-dialog.tsx'
import type { BudgetNode } from './tree.ts'

type Asked =
  | { readonly what: 'set'; readonly node: BudgetNode; readonly budget: BudgetJson | null }
  | { readonly what: 'delete' | 'acknowledge'; readonly node: BudgetNode; readonly budget: BudgetJson }

const PERIOD_TEXT = { month: 'a month', day: 'a day', total: 'in all' } as const
const STATE_TEXT = { ACTIVE: null, EXHAUSTED: 'spent', FROZEN: 'frozen' } as const

/** Each budget with what it posted and holds, under what it caps; caps are changed in place. */
export function BudgetTree({ nodes }: { readonly nodes: readonly BudgetNode[] }) {
  const [asked, setAsked] = useState<Asked | null>(null)
  const close = (): void => setAsked(null)
  return (
    <>
      <Table
        label="Every budget"
        columns={[
          'Budget',
          'Spent of the cap',
          { number: 'Posted' },
          { number: 'Held' },
          { number: 'Free' },
          { number: 'Overrun' },
          { unseen: 'Actions' },
        ]}
        isSheet
        className="tree"
      >
        {nodes.map(node => (
          <tbody key={`${node.project ?? ''}/${node.key ?? ''}`}>
            <tr className="tree__node">
              <th scope="rowgroup" colSpan={6} className={`tree__name tree__name--${node.depth}`}>
                <Link to={spendPath(node)}>{node.name}</Link>
                {node.budgets.length === 0 && <span className="quiet"> no cap of its own</span>}
              </th>
              <td className="table__tools">
                <Button look="bare" onPress={() => setAsked({ what: 'set', node, budget: null })}>
                  Set a cap<span className="unseen"> of {node.name}</span>
                </Button>
              </td>
            </tr>
            {node.budgets.map(budget => (
              <BudgetLine
                key={budget.name}
                budget={budget}
                node={node}
                onAsk={what => setAsked({ what, node, budget })}
              />
            ))}
          </tbody>
        ))}
      </Table>
      {asked?.what === 'set' && (
        <BudgetDialog place={asked.node} of={asked.node.name} budget={asked.budget} onClose={close} />
      )}
      {asked?.what === 'delete' && (
        <DeleteBudgetDialog budget={asked.budget} of={asked.node.name} onClose={close} />
      )}
      {asked?.what === 'acknowledge' && (
        <AcknowledgeDialog budget={asked.budget} of={asked.node.name} onClose={close} />
      )}
    </>
  )
}

interface LineProps {
  readonly budget: BudgetJson
  readonly node: BudgetNode
  readonly onAsk: (what: 'set' | 'delete' | 'acknowledge') => void
}

function BudgetLine({ budget, node, onAsk }: LineProps) {
  const { posted, allotted, cap, free, overrun, period, state, tier } = budget
  const stateText = STATE_TEXT[state]
  const of = `of ${node.name} ${PERIOD_TEXT[period]}`
  return (
    <tr>
      <th scope="row" className={`tree__budget tree__budget--${node.depth}`}>
        {tier === undefined ? PERIOD_TEXT[period] : `a month, by ${tier.replace('tiers/', 'tier ')}`}
        {stateText !== null && <span className="status status--wrong"> {stateText}</span>}
      </th>
      <td className="tree__bar">
        <span className="small quiet">
          {shownDollars(posted)} of {shownDollars(cap)}
        </span>
        <SpendBar
          label={`${shownDollars(posted)} of ${shownDollars(cap)} spent`}
          posted={BigInt(posted)}
          held={BigInt(allotted)}
          cap={BigInt(cap)}
        />
      </td>
      {[posted, allotted, free, overrun].map((nanos, column) => (
        <td key={column} className="number" title={exactDollars(nanos)}>
          {nanos === '0' ? <span className="quiet">$0</span> : shownDollars(nanos)}
        </td>
      ))}
      <td className="table__tools">
        {state === 'FROZEN' && (
          <Button look="bare" onPress={() => onAsk('acknowledge')}>
            Acknowledge<span className="unseen"> the overrun {of}</span>
          </Button>
        )}
        {tier === undefined && (
          <>
            <Button look="bare" onPress={() => onAsk('set')}>
              Change<span className="unseen"> the cap {of}</span>
            </Button>
            <Button look="bare" onPress={() => onAsk('delete')}>
              Delete<span className="unseen"> the cap {of}</span>
            </Button>
          </>
        )}
      </td>
    </tr>
  )
}
