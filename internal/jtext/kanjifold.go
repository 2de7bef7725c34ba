package jtext

import "sync"

// kanjiPairs are old, variant and vendor forms with the form that stands for
// them in match keys. Not a table of equal characters: two people may differ
// in nothing but such a form, which is why keys only find candidates.
const kanjiPairs = "髙高﨑崎嵜崎碕崎𠮷吉栁柳瀨瀬德徳邉辺邊辺澤沢廣広櫻桜濱浜濵浜齋斎齊斉嶋島嶌島龍竜眞真國国圓円惠恵榮栄瀧滝淵渕渊渕" +
	"籠篭峯峰冨富曾曽條条鐵鉄關関實実壽寿藏蔵萬万與与豐豊縣県學学會会應応禮礼圖図當当點点邨村繩縄聲声號号專専從従戀恋" +
	"敎教晝昼曉暁榘矩檜桧樂楽橫横氣気淺浅淨浄溫温瀉潟燈灯爲為狹狭獨独畫画盡尽眾衆祿禄稻稲穗穂竝並緖緒繪絵繼継續続舊旧" +
	"莊荘萠萌薗園藥薬虛虚蟲虫裝装覺覚觀観讀読變変賣売蘆芦轉転辯弁辨弁遙遥遲遅鄕郷醫医釋釈銕鉄錄録鎭鎮鑛鉱陷陥險険隱隠" +
	"雙双雜雑靑青靜静顯顕餠餅驛駅鷄鶏鷗鴎麥麦黃黄黑黒默黙齒歯桺柳椙杉埜野壷壺𡈽土籐藤籔薮槇槙槗橋仐傘"

var kanjiFold = sync.OnceValue(func() map[rune]rune {
	m := map[rune]rune{}
	rs := []rune(kanjiPairs)
	for i := 0; i+1 < len(rs); i += 2 {
		m[rs[i]] = rs[i+1]
	}
	return m
})
