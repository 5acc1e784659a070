package redis

import (
	_ "embed"

	"github.com/promptd/promptd/internal/redis"
)

// The parts of the scripts.
var (
	//go:embed script/instant.lua
	instantLua string
	//go:embed script/moment.lua
	momentLua string
	//go:embed script/tab.lua
	tabLua string
	//go:embed script/allow.lua
	allowLua string
	//go:embed script/reserve.lua
	reserveLua string
	//go:embed script/settle.lua
	settleLua string
	//go:embed script/enter.lua
	enterLua string
	//go:embed script/inside.lua
	insideLua string
	//go:embed script/renew.lua
	renewLua string
	//go:embed script/give.lua
	giveLua string
)

// scripts are what the server runs. Each says in its text what it takes and what it answers.
type scripts struct{ allow, reserve, settle, enter, inside, renew, give *redis.Script }

func newScripts() scripts {
	return scripts{
		allow:   redis.NewScript(instantLua + allowLua),
		reserve: redis.NewScript(instantLua + tabLua + reserveLua),
		settle:  redis.NewScript(instantLua + tabLua + settleLua),
		enter:   redis.NewScript(momentLua + enterLua),
		inside:  redis.NewReadScript(momentLua + insideLua),
		renew:   redis.NewScript(momentLua + renewLua),
		give:    redis.NewScript(giveLua),
	}
}
