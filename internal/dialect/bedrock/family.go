package bedrock

import "strings"

// ProfileOf names the profile of a model's family: Claude has one of its own. An ARN that does not say the model gets the dialect's.
func (Dialect) ProfileOf(model string) string {
	if strings.Contains(model, "anthropic.") {
		return "bedrock:claude"
	}
	return ""
}

// choice is how far a model lets itself be made to call a tool. As documented, Claude and Nova can be held to a tool and Mistral to any; others refuse the
// member, and only offering the tool is left. Where the name does not tell the maker, the tool is forced: a refusal says so, and is learned from.
func choice(model string) string {
	switch {
	case strings.Contains(model, "anthropic."), strings.Contains(model, "amazon.nova"):
		return "tool"
	case strings.Contains(model, "mistral."):
		return "any"
	case strings.HasPrefix(model, "arn:") && !strings.Contains(model, "foundation-model/"), !strings.Contains(model, "."):
		return "tool"
	default:
		return "auto"
	}
}
