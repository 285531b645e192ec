/** First calls with a new key, by language and by shell. The SDKs read key and base URL from the environment. */

import type { FirstCall } from './first-call.ts'

export interface Snippet {
  readonly id: string
  readonly text: string
  readonly code: string
}

/** A call in each language; none of them holds the key. */
export function callSnippets({ model, method }: FirstCall): readonly Snippet[] {
  const isText = method === 'generateContent'
  return [
    {
      id: 'python',
      text: 'Python',
      code: `# pip install google-genai
from google import genai

client = genai.Client()
reply = client.models.${isText ? 'generate_content' : 'embed_content'}(model="${model}", contents="Say hello")
print(${isText ? 'reply.text' : 'reply.embeddings[0].values'})`,
    },
    {
      id: 'javascript',
      text: 'JavaScript',
      code: `// npm install @google/genai
import { GoogleGenAI } from '@google/genai'

const client = new GoogleGenAI({})
const reply = await client.models.${method}({ model: '${model}', contents: 'Say hello' })
console.log(${isText ? 'reply.text' : 'reply.embeddings[0].values'})`,
    },
    {
      id: 'go',
      text: 'Go',
      code: `// go get google.golang.org/genai
package main

import (
	"context"
	"fmt"
	"log"

	"google.golang.org/genai"
)

func main() {
	ctx := context.Background()
	client, err := genai.NewClient(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Models.${isText ? 'GenerateContent' : 'EmbedContent'}(ctx, "${model}", genai.Text("Say hello"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(${isText ? 'reply.Text()' : 'reply.Embeddings[0].Values'})
}`,
    },
    {
      id: 'java',
      text: 'Java',
      code: `// com.google.genai:google-genai
import com.google.genai.Client;

public class Hello {
  public static void main(String[] args) {
    try (Client client = new Client()) {
      System.out.println(client.models.${method}("${model}", "Say hello", null).${isText ? 'text' : 'embeddings'}());
    }
  }
}`,
    },
    {
      id: 'rest',
      text: 'REST',
      code: `curl "$GOOGLE_GEMINI_BASE_URL/v1beta/models/${model}:${method}" \\
  -H "x-goog-api-key: $GEMINI_API_KEY" -H 'content-type: application/json' \\
  -d '${JSON.stringify(bodyOfCall(method))}'`,
    },
  ]
}

/** What is asked in JSON. */
export function bodyOfCall(method: FirstCall['method']): object {
  const content = { parts: [{ text: 'Say hello' }] }
  return method === 'generateContent' ? { contents: [content] } : { content }
}

/** How the two variables are set. */
export function environmentSnippets(keyString: string, baseUrl: string): readonly Snippet[] {
  return [
    {
      id: 'bash',
      text: 'Bash',
      code: `export GEMINI_API_KEY='${keyString}'\nexport GOOGLE_GEMINI_BASE_URL='${baseUrl}'`,
    },
    {
      id: 'zsh',
      text: 'Zsh',
      code: `export GEMINI_API_KEY='${keyString}'\nexport GOOGLE_GEMINI_BASE_URL='${baseUrl}'`,
    },
    {
      id: 'powershell',
      text: 'PowerShell',
      code: `$env:GEMINI_API_KEY = '${keyString}'\n$env:GOOGLE_GEMINI_BASE_URL = '${baseUrl}'`,
    },
    {
      id: 'windows',
      text: 'Windows settings',
      code: `rem For every program started from now on. By hand: Settings, System, About,
rem Advanced system settings, Environment Variables, New.
setx GEMINI_API_KEY "${keyString}"
setx GOOGLE_GEMINI_BASE_URL "${baseUrl}"`,
    },
    { id: 'dotenv', text: '.env', code: dotenv(keyString, baseUrl) },
  ]
}

/** The lines of a `.env` file. */
export function dotenv(keyString: string, baseUrl: string): string {
  return `GEMINI_API_KEY=${keyString}\nGOOGLE_GEMINI_BASE_URL=${baseUrl}\n`
}
