import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import { CopyButton } from './copy-button.tsx'

interface CodeTabsProps {
  readonly label: string
  readonly snippets: readonly { readonly id: string; readonly text: string; readonly code: string }[]
  readonly onCopied?: () => void
}

/** Pieces of code that say the same, one in sight. */
export function CodeTabs({ label, snippets, onCopied }: CodeTabsProps) {
  return (
    <Tabs className="tabs">
      <TabList aria-label={label} className="tabs__list">
        {snippets.map(({ id, text }) => (
          <Tab key={id} id={id} className="tabs__tab">
            {text}
          </Tab>
        ))}
      </TabList>
      {snippets.map(({ id, text, code }) => (
        <TabPanel key={id} id={id}>
          <Code label={text} code={code} {...(onCopied === undefined ? {} : { onCopied })} />
        </TabPanel>
      ))}
    </Tabs>
  )
}

interface CodeProps {
  readonly label: string
  readonly code: string
  readonly onCopied?: () => void
}

function Code({ label, code, onCopied }: CodeProps) {
  return (
    <div className="code">
      <pre tabIndex={0} aria-label={label} role="region">
        {code}
      </pre>
      <CopyButton text={code} label={`Copy: ${label}`} {...(onCopied === undefined ? {} : { onCopied })} />
    </div>
  )
}
