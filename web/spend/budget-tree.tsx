import { useState } from 'react'
import { Link } from 'react-router'
import { spendPath } from '../paths.ts'
import type { BudgetJson } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { exactDollars, shownBudget, shownDollars } from '../ui/dollars.ts'
import { SearchField } from '../ui/search-field.tsx'
import { SpendBar } from '../ui/spend-bar.tsx'
import { Table } from '../ui/table.tsx'
import { AcknowledgeDialog, BudgetDialog, DeleteBudgetDialog } from './budget-dialog.tsx'
import { type BudgetNode, NODES_PER_PAGE, isOfOneProject, nodesShown, pageOf, pageWith } from './tree.ts'

type Asked =
  | { readonly what: 'set'; readonly node: BudgetNode; readonly budget: BudgetJson | null }
  | { readonly what: 'delete' | 'acknowledge'; readonly node: BudgetNode; readonly budget: BudgetJson }

/** Which part of a large tree is shown. */
export interface TreeView {
  /** Of a node's name or id. */
  readonly q: string
  /** Id of the project whose keys are shown; empty: none. */
  readonly open: string
  /** From 1. */
  readonly page: string
}

interface TreeProps {
  readonly nodes: readonly BudgetNode[]
  readonly view: TreeView
  readonly onView: (change: Partial<TreeView>) => void
}

const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 })
const PERIOD_TEXT = { month: 'a month', day: 'a day', total: 'in all' } as const
const STATE_TEXT = { ACTIVE: null, EXHAUSTED: 'spent', FROZEN: 'frozen' } as const

/** Each budget with what it posted and holds, under what it caps; caps are changed in place. */
export function BudgetTree({ nodes, view, onView }: TreeProps) {
  const [asked, setAsked] = useState<Asked | null>(null)
  const close = (): void => setAsked(null)
  const shown = nodesShown(nodes, view)
  const pages = Math.max(1, Math.ceil(shown.length / NODES_PER_PAGE))
  const page = Math.min(Math.max(1, Math.trunc(Number(view.page)) || 1), pages)
  const isLarge = nodes.length > NODES_PER_PAGE
  const isFolded = isLarge && view.q.trim() === '' && !isOfOneProject(nodes)
  const setOpen = (node: BudgetNode, open: string): void =>
    onView({ open, page: String(pageWith(nodesShown(nodes, { q: '', open }), node.project)) })
  return (
    <>
      {isLarge && (
        <search className="filters">
          <SearchField
            label="Search budgets by name or id"
            value={view.q}
            onChange={q => onView({ q, page: '1' })}
          />
        </search>
      )}
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
        {pageOf(shown, page).map(node => (
          <tbody key={`${node.project ?? ''}/${node.key ?? ''}`}>
            <tr className="tree__node">
              <th scope="rowgroup" colSpan={6} className={`tree__name tree__name--${node.depth}`}>
                <Link to={spendPath(node)}>{node.name}</Link>
                {node.budgets.length === 0 && <span className="quiet"> no cap of its own</span>}
                {isFolded && node.keys > 0 && (
                  <Keys
                    node={node}
                    isOpen={node.project === view.open}
                    onOpen={open => setOpen(node, open)}
                  />
                )}
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
      {isLarge && (
        <p className="table__more quiet small" role="status">
          {shown.length === 0
            ? 'No project and no key with a cap has that name.'
            : countText(page, shown.length)}
          {pages > 1 && (
            <>
              <Button isDisabled={page === 1} onPress={() => onView({ page: String(page - 1) })}>
                Previous
              </Button>
              <Button isDisabled={page === pages} onPress={() => onView({ page: String(page + 1) })}>
                Next
              </Button>
            </>
          )}
        </p>
      )}
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

/** `51 to 100 of 291 rows, nearest to their caps first` */
function countText(page: number, total: number): string {
  const first = (page - 1) * NODES_PER_PAGE
  const rows =
    total <= NODES_PER_PAGE
      ? `${total} rows`
      : `${first + 1} to ${Math.min(total, first + NODES_PER_PAGE)} of ${total} rows`
  return `${rows}, nearest to their caps first`
}

interface KeysProps {
  readonly node: BudgetNode
  readonly isOpen: boolean
  /** With the project whose keys are to be shown; empty: none. */
  readonly onOpen: (project: string) => void
}

/** How full the keys below a project are, and the button that shows them. */
function Keys({ node: { project, name, keys, fullest }, isOpen, onOpen }: KeysProps) {
  return (
    <span className="tree__keys">
      <Button look="bare" aria-expanded={isOpen} onPress={() => onOpen(isOpen ? '' : (project ?? ''))}>
        {isOpen ? 'Hide' : 'Show'} {keys === 1 ? '1 key' : `${keys} keys`}
        <span className="unseen"> of {name}</span>
      </Button>
      <span className="quiet">
        {fullest === Infinity
          ? 'one may spend nothing'
          : `the fullest at ${percent.format(fullest)} of a cap`}
      </span>
    </span>
  )
}

interface LineProps {
  readonly budget: BudgetJson
  readonly node: BudgetNode
  readonly onAsk: (what: 'set' | 'delete' | 'acknowledge') => void
}

function BudgetLine({ budget, node, onAsk }: LineProps) {
  const { posted, allotted, cap, free, overrun, period, state, tier } = budget
  const shown = shownBudget({ cap: BigInt(cap), posted: BigInt(posted), held: BigInt(allotted) })
  const amounts = [
    [posted, shown.posted],
    [allotted, shown.held],
    [free, shown.free],
    [overrun, shownDollars(overrun)],
  ] as const
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
          {shown.posted} of {shown.cap}
        </span>
        <SpendBar
          label={`${shown.posted} of ${shown.cap} spent`}
          posted={BigInt(posted)}
          held={BigInt(allotted)}
          cap={BigInt(cap)}
        />
      </td>
      {amounts.map(([nanos, text], column) => (
        <td key={column} className={nanos === '0' ? 'number quiet' : 'number'} title={exactDollars(nanos)}>
          {text}
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
